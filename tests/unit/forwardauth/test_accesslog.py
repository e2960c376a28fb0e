"""The lines of the access log."""

from __future__ import annotations

import io
import json

from roadstead.forwardauth.accesslog import MAX_LINES, AccessLog
from roadstead.forwardauth.verdict import AuthVerdict
from tests.unit.forwardauth.questions import NOW, SERVER

VERDICT = AuthVerdict(status=200, reason="Allowed", subject="alice", server="demo/gemma")


def log(stream: io.StringIO | None, *, as_json: bool = True) -> AccessLog:
    """Return an access log at NOW."""
    return AccessLog(stream, as_json=as_json, clock=lambda: NOW)


async def test_line_has_subject_method_and_server() -> None:
    stream = io.StringIO()
    lines = log(stream)
    lines.note(VERDICT, server_uuid=SERVER, method="POST", seconds=0.00123)
    lines.flush()
    assert json.loads(stream.getvalue()) == {
        "time": "2027-01-15T08:00:00.000Z",
        "level": "info",
        "logger": "access",
        "object": "modelserve/demo/gemma",
        "server": SERVER,
        "subject": "alice",
        "method": "POST",
        "verdict": "allowed",
        "reason": "Allowed",
        "milliseconds": 1.23,
    }


async def test_console_line_has_a_dash_for_unknown_values() -> None:
    stream = io.StringIO()
    lines = log(stream, as_json=False)
    nobody = AuthVerdict(status=401, reason="TokenMissing")
    lines.note(nobody, server_uuid=SERVER, method="", seconds=0)
    lines.flush()
    assert f"info access - {SERVER} - - unauthenticated TokenMissing" in stream.getvalue()


async def test_many_lines_are_written_at_once() -> None:
    stream = io.StringIO()
    lines = log(stream)
    for _ in range(MAX_LINES - 1):
        lines.note(VERDICT, server_uuid=SERVER, method="POST", seconds=0)
    assert stream.getvalue() == ""
    lines.note(VERDICT, server_uuid=SERVER, method="POST", seconds=0)
    assert stream.getvalue().count("\n") == MAX_LINES


async def test_line_of_a_strange_subject_is_one_line() -> None:
    stream = io.StringIO()
    lines = log(stream)
    strange = AuthVerdict(status=200, reason="Allowed", subject='a" \u2028 b')
    lines.note(strange, server_uuid=SERVER, method="GET", seconds=0)
    lines.flush()
    assert len(stream.getvalue().splitlines()) == 1


async def test_without_a_stream_nothing_is_buffered() -> None:
    lines = log(None)
    lines.note(VERDICT, server_uuid=SERVER, method="GET", seconds=0)
    lines.flush()


async def test_closed_log_does_not_stop_verdicts() -> None:
    pipe = Gone()
    lines = log(pipe)
    for _ in range(3 * MAX_LINES):
        lines.note(VERDICT, server_uuid=SERVER, method="GET", seconds=0)
    assert pipe.attempts == 3


class Gone(io.StringIO):
    """A pipe without a reader."""

    attempts = 0

    def write(self, _: str, /) -> int:
        """As a pipe."""
        self.attempts += 1
        raise BrokenPipeError
