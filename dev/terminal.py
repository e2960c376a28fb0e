"""Output of dev/ commands on the terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

Report = Callable[[str], None]


def echo(line: str) -> None:
    """Print a line to stderr at once: stdout is only for a command's result."""
    print(line, file=sys.stderr, flush=True)


_REPORT: ContextVar[Report | None] = ContextVar("report", default=None)


def report(detail: str) -> None:
    """Report the progress of a long command, by a line or to the sink of `reporting_to`.

    The sink may raise an exception to stop the command.
    """
    sink = _REPORT.get()
    if sink is None:
        echo(f"  {detail}")
    else:
        sink(detail)


def is_reported() -> bool:
    """Whether another function prints the progress."""
    return _REPORT.get() is not None


def announce(line: str) -> None:
    """Print a line about a command's own progress, unless another function prints it."""
    if not is_reported():
        echo(line)


@contextlib.contextmanager
def reporting_to(sink: Report) -> Iterator[None]:
    """Send the progress of long commands to `sink`, in this thread."""
    token = _REPORT.set(sink)
    try:
        yield
    finally:
        _REPORT.reset(token)


def minutes(seconds: float) -> str:
    """`95.2` as `1:35`."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def about(seconds: float) -> str:
    """A usual duration, in words."""
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
