"""`roadstead operator` as a child process, on the API server of the tests.

There is no store behind it: Models in these tests say in their status that they are stored.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.apiserver.control_plane import ApiServer

START_DEADLINE_SECONDS = 60.0


@contextlib.contextmanager
def running_operator(server: ApiServer, folder: Path, **environ: str) -> Iterator[Path]:
    """An operator that is ready; the path of its log. It ends by SIGTERM on the way out."""
    key, log = folder / "key", folder / "operator.log"
    key.write_text(secrets.token_hex(16))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
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
    command = [sys.executable, "-m", "roadstead", "operator"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env={**os.environ, **settings}
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while not _ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the operator did not get ready:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
