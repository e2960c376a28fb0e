"""`roadstead transfer` and `roadstead fetch` as child processes."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import (
    Event,
    Source,
    TransferJob,
    parse_event,
)

TIMEOUT_SECONDS = 300
CONNECTIONS = 2
"""Fewer than the parts of the model, so that some ranges are requested late."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """A process that has exited."""

    code: int
    events: tuple[Event, ...]
    stdout: str
    stderr: str

    @property
    def last(self) -> Event:
        """The last event, which has the result."""
        return self.events[-1]


def transfer_environ(store: ObjectStore, *, allow: str, **more: str) -> dict[str, str]:
    """The environment of a transfer to `store` from the endpoints that `allow` lists."""
    return {
        **_base(),
        "ROADSTEAD_STORE_ENDPOINT": store.endpoint,
        "ROADSTEAD_STORE_BUCKET": "models",
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(store.access_key_file),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(store.secret_key_file),
        "ROADSTEAD_SOURCE_ALLOW": allow,
        "ROADSTEAD_TRANSFER_ATTEMPTS": "3",
        "ROADSTEAD_TRANSFER_CONNECTIONS": str(CONNECTIONS),
        **more,
    }


def start_transfer(
    job: TransferJob, environ: Mapping[str, str], within: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a transfer, with the command prefix `within`; its job is on its standard input."""
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "roadstead", "transfer"],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if process.stdin is None:
        raise AssertionError("stdin is not a pipe")
    process.stdin.write(json.dumps(job.to_json()).encode())
    process.stdin.close()
    process.stdin = None
    return process


def run_transfer(job: TransferJob, environ: Mapping[str, str]) -> Ended:
    """Run a transfer until it exits."""
    return wait_for_exit(start_transfer(job, environ))


def wait_for_exit(process: subprocess.Popen[bytes]) -> Ended:
    """Wait until a process exits, and read its output."""
    stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    return Ended(
        code=process.returncode,
        events=tuple(parse_event(line) for line in stdout.splitlines()),
        stdout=stdout.decode(),
        stderr=stderr.decode(),
    )


def fetch_environ(url_file: Path, target: Path, *, sha256: str, size: int) -> dict[str, str]:
    """The environment of a fetch."""
    return {
        **_base(),
        "ROADSTEAD_FETCH_URL_FILE": str(url_file),
        "ROADSTEAD_FETCH_TARGET": str(target),
        "ROADSTEAD_FETCH_SHA256": sha256,
        "ROADSTEAD_FETCH_SIZE": str(size),
        "ROADSTEAD_FETCH_ATTEMPTS": "3",
        "ROADSTEAD_FETCH_TERMINATION_LOG": str(url_file.parent / "termination-log"),
    }


def start_fetch(environ: Mapping[str, str], within: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start a fetch, with the command prefix `within`."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "roadstead", "fetch"],
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_fetch(environ: Mapping[str, str]) -> Ended:
    """Run a fetch until it exits."""
    return wait_for_exit(start_fetch(environ))


def _base() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": "operator"}


UID = "6f1c2f0e-0000-4000-8000-000000000001"


def job(source: Source, target: StoreLocation, sha256: str | None = None) -> TransferJob:
    """A job for the model of these tests."""
    return TransferJob(
        model_uid=UID, model_name="sample", source=source, target=target, expected_sha256=sha256
    )
