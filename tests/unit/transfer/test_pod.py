"""The exit code and the termination message of a transfer's pod."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings, Retry
from roadstead.transfer.messages import Failed, Stopped, parse_event
from roadstead.transfer.pod import CONTINUE_EXIT_CODE, Pod, is_finished
from roadstead.transfer.transfer_settings import TransferSettings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a pod."""
    (tmp_path / "key").write_text("roadstead")
    (tmp_path / "termination-log").touch()
    return {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_STORE_ENDPOINT": "http://127.0.0.1:9",
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(tmp_path / "key"),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(tmp_path / "key"),
        "ROADSTEAD_TRANSFER_JOB_FILE": str(tmp_path / "job"),
        "ROADSTEAD_TRANSFER_TERMINATION_LOG": str(tmp_path / "termination-log"),
    }


def run(environ: dict[str, str], job: str) -> int:
    pod = Pod.read(environ)
    assert pod is not None
    pod.job_file.write_text(job)
    return pod.run(TransferSettings.from_env(environ), io.BytesIO())


def test_without_a_job_file_the_job_is_on_standard_input() -> None:
    assert Pod.read({}) is None


def test_failure_is_the_termination_message_and_the_exit_code_is_zero(
    environ: dict[str, str],
) -> None:
    assert run(environ, "{") == 0
    kept = Path(environ["ROADSTEAD_TRANSFER_TERMINATION_LOG"]).read_text()
    expected = Failed(reason="InvalidJob", message="is not JSON", retry=Retry.ON_CHANGE)
    assert parse_event(kept) == expected


def test_outcome_is_not_written_without_a_termination_log(environ: dict[str, str]) -> None:
    kept = Path(environ["ROADSTEAD_TRANSFER_TERMINATION_LOG"])
    kept.unlink()
    assert run(environ, "{") == 0
    assert not kept.exists()


def test_missing_job_file_is_named(environ: dict[str, str]) -> None:
    pod = Pod.read(environ)
    assert pod is not None
    with pytest.raises(InvalidSettings, match="job: No such file"):
        pod.run(TransferSettings.from_env(environ), io.BytesIO())


def test_stopped_pod_is_replaced_by_another(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ["ROADSTEAD_STORE_ENDPOINT"] = endpoint
        target = {"endpoint": endpoint, "bucket": "models", "path": "a.gguf"}
        source = {"kind": "stored"}
        job = {"modelUid": "1", "modelName": "one", "source": source, "target": target}
        Path(environ["ROADSTEAD_TRANSFER_JOB_FILE"]).write_text(json.dumps(job))
        process = subprocess.Popen([sys.executable, "-m", "roadstead", "transfer"], env=environ)
        silent.settimeout(60)
        with silent.accept()[0]:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == CONTINUE_EXIT_CODE
    assert Path(environ["ROADSTEAD_TRANSFER_TERMINATION_LOG"]).read_text() == ""


@pytest.mark.parametrize(
    ("event", "finished"),
    [
        pytest.param(Failed(reason="StoreFull", message=""), True, id="failed"),
        pytest.param(Failed(reason="TransferDisplaced", message=""), False, id="displaced"),
        pytest.param(Stopped(), False, id="stopped"),
    ],
)
def test_transfer_is_finished_unless_it_was_stopped_or_displaced(
    event: Failed | Stopped, finished: bool
) -> None:
    assert is_finished(event) is finished
