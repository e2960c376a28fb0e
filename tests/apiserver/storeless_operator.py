"""`roadstead operator` as a child process, on the API server of the tests.

There is no store behind it: Models in these tests say in their status that they are stored.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.servers import process
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, free_port

START_DEADLINE_SECONDS = 120.0


@contextlib.contextmanager
def running_operator(server: ApiServer, folder: Path, **environ: str) -> Iterator[Path]:
    """An operator that is ready; the path of its log. It ends by SIGTERM on the way out."""
    key, log = folder / "key", folder / "operator.log"
    key.write_text(secrets.token_hex(16))
    port = free_port()
    settings = {
        "KUBECONFIG": str(server.kubeconfig),
        "ROADSTEAD_HTTP_HOST": "127.0.0.1",
        "ROADSTEAD_HTTP_PORT": str(port),
        "ROADSTEAD_STORE_ENDPOINT": "http://127.0.0.1:9",
        "ROADSTEAD_STORE_BUCKET": "models",
        "ROADSTEAD_STORE_REGION": "us-east-1",
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(key),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(key),
        "ROADSTEAD_OPERATOR_IMAGE": "roadstead:test",
        "ROADSTEAD_LEADER_ELECTION": "off",
        "ROADSTEAD_SERVER_IMAGE": "llama-server:test",
        **environ,
    }
    with process.running(
        "the operator",
        [sys.executable, "-m", "roadstead", "operator"],
        log,
        functools.partial(answers, f"http://127.0.0.1:{port}/readyz"),
        seconds=START_DEADLINE_SECONDS,
        stop_seconds=15,
        env={**os.environ, **settings},
    ):
        yield log
