"""Peak resource usage of an operator and its transfers, sampled while they run."""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SAMPLE_SECONDS: Final = 0.2
_ESTABLISHED: Final = "01"
_PAGE_MIB: Final = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclasses.dataclass
class Peak:
    """Highest values of single samples."""

    transfers: int = 0
    connections: int = 0
    """Of any process to the given port."""
    rss_mib: float = 0
    """Of the operator and its transfers together; shared pages are counted for each."""
    operator_rss_mib: float = 0


@contextlib.contextmanager
def sampling_peak(pid: int, port: int) -> Iterator[Peak]:
    """Sample the operator `pid`, its children, and connections to 127.0.0.1:`port`."""
    peak, stop = Peak(), threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            _sample(peak, pid, port)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _sample(peak: Peak, pid: int, port: int) -> None:
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
    """Counted at the clients' side."""
    rows = [line.split() for line in _read(Path("/proc/net/tcp")).splitlines()[1:]]
    remote = f"0100007F:{port:04X}"
    return sum(row[2] == remote and row[3] == _ESTABLISHED for row in rows)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
