"""Fetches from a real store to a volume, as the process of the init container."""

import time
from pathlib import Path

import pytest
from minio import Minio

from roadstead.api.model import StoreLocation
from tests.adapters.test_transfer import Put
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import fetch_environ, run_fetch, start_fetch, wait_for_exit
from tests.support.waiting import wait_until

PART_BYTES = 16 * 2**20
CONNECTIONS = 3


@pytest.fixture
def url_file(tmp_path: Path) -> Path:
    """The Secret's file, beside the kubelet's file for the termination message."""
    (tmp_path / "termination-log").touch()
    return tmp_path / "url"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The file of the model."""
    return tmp_path / "models" / "model.gguf"


@pytest.fixture
def environ(
    url_file: Path, model: Path, faults: FaultServer, content: bytes, sha256: str
) -> dict[str, str]:
    """The environment of a fetch from the fault server."""
    url_file.write_text(faults.url)
    return fetch_environ(url_file, model, sha256=sha256, size=len(content))


def kill_midway(
    faults: FaultServer, environ: dict[str, str], model: Path, *, connections: int
) -> None:
    """Start a fetch and kill it when its journal has a part."""
    faults.pause_after = 40 * 2**20
    journal = model.with_name("model.gguf.journal")
    process = start_fetch({**environ, "ROADSTEAD_FETCH_CONNECTIONS": str(connections)})
    wait_until(lambda: journal.exists() and journal.read_text().count("\n") > 1, step=0.05)
    process.kill()
    process.communicate()
    faults.pause_after = None


def test_model_is_fetched_from_the_store(
    client: Minio,
    target: StoreLocation,
    put: Put,
    url_file: Path,
    model: Path,
    content: bytes,
    sha256: str,
) -> None:
    put(content)
    url_file.write_text(client.presigned_get_object(target.bucket, target.path) + "\n")
    ended = run_fetch(fetch_environ(url_file, model, sha256=sha256, size=len(content)))
    assert ended.code == 0, ended.stderr
    assert model.read_bytes() == content


def test_verified_model_is_not_fetched_again(faults: FaultServer, environ: dict[str, str]) -> None:
    assert run_fetch(environ).code == 0
    asked = faults.requests
    assert run_fetch(environ).code == 0
    assert faults.requests == asked


def test_damaged_model_is_fetched_again(
    environ: dict[str, str], model: Path, content: bytes
) -> None:
    assert run_fetch(environ).code == 0
    model.write_bytes(bytes(len(content)))
    assert run_fetch(environ).code == 0
    assert model.read_bytes() == content


def test_killed_fetch_resumes_with_its_parts(
    faults: FaultServer, environ: dict[str, str], model: Path, content: bytes
) -> None:
    kill_midway(faults, environ, model, connections=2)
    ended = run_fetch(environ)
    assert ended.code == 0, ended.stderr
    assert faults.bytes_sent <= len(content) + 2 * PART_BYTES
    assert model.read_bytes() == content


def test_damaged_parts_are_detected(
    faults: FaultServer, environ: dict[str, str], model: Path
) -> None:
    kill_midway(faults, environ, model, connections=1)
    part = model.with_name("model.gguf.part")
    with part.open("r+b") as file:
        file.write(b"damage")
    ended = run_fetch(environ)
    assert ended.code == 1
    assert "DigestMismatch" in ended.stderr
    assert list(model.parent.iterdir()) == []


def test_file_with_a_wrong_digest_is_removed(
    environ: dict[str, str], url_file: Path, model: Path
) -> None:
    ended = run_fetch({**environ, "ROADSTEAD_FETCH_SHA256": "0" * 64})
    assert ended.code == 1
    assert list(model.parent.iterdir()) == []
    assert url_file.with_name("termination-log").read_text().startswith("DigestMismatch: ")


def test_object_of_another_size_is_refused(environ: dict[str, str]) -> None:
    ended = run_fetch({**environ, "ROADSTEAD_FETCH_SIZE": "4711"})
    assert ended.code == 1
    assert "SizeMismatch" in ended.stderr


def test_message_says_that_the_operator_renews_an_expired_url(
    faults: FaultServer, environ: dict[str, str], url_file: Path
) -> None:
    faults.answer_status = 403
    ended = run_fetch(environ)
    message = url_file.with_name("termination-log").read_text()
    assert ended.code == 1
    assert message.startswith("FetchURLExpired: ")
    assert "the operator renews it" in message
    assert "secretsignature" not in message + ended.stderr


def test_renewed_url_is_used(
    faults: FaultServer, environ: dict[str, str], url_file: Path, model: Path, content: bytes
) -> None:
    faults.pause_after = 2**20
    process = start_fetch({**environ, "ROADSTEAD_FETCH_CONNECTIONS": "2"})
    wait_until(lambda: faults.has_sent(2**20), step=0.01)
    url_file.write_text(faults.url + "&fresh")
    faults.expire_after = 2**20
    faults.pause_after = None
    ended = wait_for_exit(process)
    assert ended.code == 0, ended.stderr
    assert model.read_bytes() == content


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(404, "StoreObjectMissing", id="missing"),
        pytest.param(503, "StoreUnavailable", id="unavailable"),
    ],
)
def test_refusal_of_the_store_is_one_line(
    faults: FaultServer, environ: dict[str, str], url_file: Path, status: int, reason: str
) -> None:
    faults.answer_status = status
    assert run_fetch(environ).code == 1
    message = url_file.with_name("termination-log").read_text()
    assert message.startswith(f"{reason}: ")
    assert "\n" not in message


def test_stopped_fetch_exits_at_once(faults: FaultServer, environ: dict[str, str]) -> None:
    faults.slowness = 0.2
    process = start_fetch(environ)
    while faults.bytes_sent < 2**20:
        time.sleep(0.01)
    process.terminate()
    assert wait_for_exit(process).code == 143
