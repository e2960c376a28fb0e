"""What log lines never say."""

import base64
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead import logs

PARTS = st.binary(min_size=8, max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
NAMES = st.sampled_from(["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"])
JOINTS = st.sampled_from(["?", "&", "\\u0026", "%26", "&amp;"])


@given(before=st.text(max_size=20), payload=PARTS, signature=PARTS)
def test_a_jwt_never_survives(before: str, payload: str, signature: str) -> None:
    header = "eyJhbGciOiJIUzI1NiJ9"
    payload, signature = payload.strip("="), signature.strip("=")
    said = logs.redacted(f"{before}{header}.{payload}.{signature} refused")
    assert f"{payload}.{signature}" not in said


@given(joint=JOINTS, name=NAMES, secret=st.text("0123456789abcdef", min_size=16, max_size=64))
def test_a_presigned_query_never_survives(joint: str, name: str, secret: str) -> None:
    said = logs.redacted(f"GET http://minio/models/a.gguf{joint}{name}={secret} failed")
    assert secret not in said
    assert "http://minio/models/a.gguf" in said


def test_a_bearer_token_never_survives() -> None:
    assert "abcdefgh12" not in logs.redacted("Authorization: Bearer abcdefgh12")


@pytest.fixture
def configured() -> object:
    """Puts back the handlers that pytest has at the root."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("configured")
def test_each_line_names_its_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info", subject="model/gemma")
    log = logging.getLogger("roadstead.test")
    log.info("without")
    with logs.about("modelserve/demo/gemma"):
        log.info("within")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["object"] for line in lines] == ["model/gemma", "modelserve/demo/gemma"]


@pytest.mark.usefixtures("configured")
def test_a_traceback_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info")
    try:
        raise ValueError("http://minio/a?X-Amz-Signature=0123456789abcdef")
    except ValueError:
        logging.getLogger("roadstead.test").exception("it failed")
    assert "0123456789abcdef" not in capsys.readouterr().err


def test_a_long_text_is_cut_before_it_is_searched() -> None:
    said = logs.redacted("eyJ" * 700_000)
    assert said.endswith("... (2095904 more characters)")
    assert len(said) < logs.MAX_TEXT + 40


@given(before=st.integers(0, logs.MAX_TEXT), payload=PARTS)
def test_no_secret_is_left_where_a_text_is_cut(before: int, payload: str) -> None:
    jwt = f"eyJhbGciOiJIUzI1NiJ9.eyJ{payload.strip('=')}.signature"
    said = logs.redacted(" " * before + jwt)
    assert f"eyJ{payload[:4]}" not in said


@pytest.mark.usefixtures("configured")
def test_the_name_of_a_lines_object_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="info")
    with logs.about(f"modelserve/demo/eyJhbGciOiJIUzI1NiJ9.{'a' * 20}.{'b' * 20}"):
        logging.getLogger("roadstead.test").info("denied")
    assert "a" * 20 not in capsys.readouterr().err
