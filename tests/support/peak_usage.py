"""What an operator and its transfers take at most, sampled while they run."""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.2
_ESTABLISHED: Final = "01"
_PAGE_MIB: Final = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclasses.dataclass
class Peak:
    """The most that was seen at one moment."""

    transfers: int = 0
    connections: int = 0
    """To the port that was named, by whomever."""
    rss_mib: float = 0
    """Of the operator and its transfers together; pages that they share are counted for each."""
    operator_rss_mib: float = 0


@contextlib.contextmanager
def watching(pid: int, port: int) -> Iterator[Peak]:
    """Look at the operator `pid`, its children, and connections to 127.0.0.1:`port`."""
    peak, stop = Peak(), threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_SECONDS):
            _look(peak, pid, port)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _look(peak: Peak, pid: int, port: int) -> None:
    own, children = _rss_mib(pid), _children(pid)
    peak.transfers = max(peak.transfers, len(children))
    peak.connections = max(peak.connections, _connections(port))
    peak.operator_rss_mib = max(peak.operator_rss_mib, own)
    peak.rss_mib = max(peak.rss_mib, own + sum(map(_rss_mib, children)))


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in _read(path).split()]


def _rss_mib(pid: int) -> float:
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * _PAGE_MIB if fields else 0.0


def _connections(port: int) -> int:
    """As the clients' side of each sees it."""
    rows = [line.split() for line in _read(Path("/proc/net/tcp")).splitlines()[1:]]
    remote = f"0100007F:{port:04X}"
    return sum(row[2] == remote and row[3] == _ESTABLISHED for row in rows)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
