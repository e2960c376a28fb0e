"""The Quant service, `roadstead quant`, as a child process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.servers import process
from dev.servers.objectstore import ObjectStore
from dev.servers.process import answers, free_port

START_SECONDS = 120.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantProcess:
    """Its address, and the file with the key of service tokens."""

    endpoint: str
    key_file: Path


@contextlib.contextmanager
def running_quant(
    source: ObjectStore, bucket: str, folder: Path, within: Sequence[str] = (), **more: str
) -> Iterator[QuantProcess]:
    """Run a Quant service for the models in a bucket of `source`; key and log are in `folder`.

    The command prefix `within` starts it, with `more` settings.
    """
    key_file = folder / "quant-key"
    key_file.write_text(secrets.token_urlsafe(32))
    port = free_port()
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "ROADSTEAD_QUANT_PORT": str(port),
        "ROADSTEAD_QUANT_SOURCE_ENDPOINT": source.endpoint,
        "ROADSTEAD_QUANT_SOURCE_BUCKET": bucket,
        "ROADSTEAD_QUANT_SOURCE_ACCESS_KEY_FILE": str(source.access_key_file),
        "ROADSTEAD_QUANT_SOURCE_SECRET_KEY_FILE": str(source.secret_key_file),
        "ROADSTEAD_QUANT_KEY_FILE": str(key_file),
        **more,
    }
    endpoint = f"http://127.0.0.1:{port}"
    with process.running(
        "the Quant service",
        [*within, sys.executable, "-m", "roadstead", "quant"],
        folder / "quant.log",
        functools.partial(answers, f"{endpoint}/healthz"),
        seconds=START_SECONDS,
        graceful=True,
        env=environ,
    ):
        yield QuantProcess(endpoint=endpoint, key_file=key_file)
