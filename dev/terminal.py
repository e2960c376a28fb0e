"""What dev/ commands tell the person at the terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

Report = Callable[[str], None]


def say(line: str) -> None:
    """One line to stderr, at once: stdout is kept for what a command is asked to print."""
    print(line, file=sys.stderr, flush=True)


_REPORT: ContextVar[Report | None] = ContextVar("report", default=None)


def report(detail: str) -> None:
    """How far a long command is: a line, or what `reporting_to` names. It may raise to stop it."""
    sink = _REPORT.get()
    if sink is None:
        say(f"  {detail}")
    else:
        sink(detail)


def is_reported() -> bool:
    """Whether somebody else prints what is being done."""
    return _REPORT.get() is not None


def announce(line: str) -> None:
    """One line about a command's own progress, unless somebody else prints what is being done."""
    if not is_reported():
        say(line)


@contextlib.contextmanager
def reporting_to(sink: Report) -> Iterator[None]:
    """Give the details of long commands to `sink`, in this thread."""
    token = _REPORT.set(sink)
    try:
        yield
    finally:
        _REPORT.reset(token)


def minutes(seconds: float) -> str:
    """`95.2` as `1:35`, the form that people compare at a glance."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def about(seconds: float) -> str:
    """How long something usually takes, in words."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} minutes"


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, indented, for the end of an error message."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 64 * 1024))
            text = stream.read().decode(errors="replace")
    except OSError:
        return f"  (no log at {log})"
    return indent(text.splitlines()[-lines:]) or f"  ({log} is empty)"


def indent(lines: Iterable[str]) -> str:
    return "\n".join(f"  | {line}" for line in lines)
