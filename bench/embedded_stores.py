"""`dev/bench store [--size 1GiB]`: MinIO and versitygw as the store, in turn.

Each round transfers a model from a source to the store and fetches it from there, with Roadstead's
own commands. The source is a MinIO for both. A store's memory is that of its process, without the
page cache, which the kernel frees when it needs memory.
"""

import argparse
import contextlib
import dataclasses
import json
import re
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import throughput
from bench.measure import Cost
from bench.throughput import Stage
from dev.servers import objectstore
from dev.servers.objectstore import MINIO, VERSITYGW, Server
from dev.terminal import echo

STORES: Final = (MINIO, VERSITYGW)
SETTLE_SECONDS: Final = 10.0
"""Until a store that has nothing to do counts as idle."""

Figures = dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """A command's time, and what it cost the store."""

    cost: Cost
    store_peak_mib: float


def main(arguments: Sequence[str]) -> int:
    """Run it, print the table, write the JSON; there is no goal."""
    options = _options(arguments)
    idle = {server.name: _idle_mib(server) for server in STORES}
    with contextlib.ExitStack() as stack:
        stages = {
            server.name: stack.enter_context(throughput.staged(options.size, server))
            for server in STORES
        }
        runs = {name: list[Figures]() for name in stages}
        for turn in range(options.rounds):
            for name, stage in stages.items():
                runs[name].append(_round(stage))
                echo(f"round {turn + 1}: {name:10} {_line(runs[name][-1])}")
    medians = {name: {"idleMiB": idle[name], **_medians(each)} for name, each in runs.items()}
    found = {"benchmark": "store", "sizeBytes": options.size, "medians": medians, "runs": runs}
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(_table(found))
    echo(f"written to {options.output}")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/bench store", description=__doc__)
    parser.add_argument(
        "--size", type=throughput.parse_size, default="1GiB", help="such as 512MiB or 2GiB"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("bench-store.json"))
    return parser.parse_args(arguments)


def _idle_mib(server: Server) -> float:
    """The memory of a store that has just started."""
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-bench-") as folder,
        objectstore.running(Path(folder), server) as store,
    ):
        time.sleep(SETTLE_SECONDS)
        return _memory_mib(store.pid, "VmRSS")


def _round(stage: Stage) -> Figures:
    """A transfer to the store, then a fetch from it."""
    throughput.clear_store(stage)
    transfer = _work(stage, throughput.transfer_contenders(stage, rclone=False)[0])
    throughput.clear_volume(stage)
    fetch = _work(stage, throughput.fetch_contenders(stage, rclone=False)[0])
    throughput.clear_volume(stage)
    works = {"transfer": transfer, "fetch": fetch}
    return {
        name + figure: value for name, work in works.items() for figure, value in _figures(work)
    }


def _work(stage: Stage, contender: throughput.Contender) -> Work:
    # VmHWM is the peak from now on (proc(5), /proc/PID/clear_refs).
    Path(f"/proc/{stage.store.pid}/clear_refs").write_text("5")
    cost = throughput.run_contender(stage, contender, servers=(stage.store.pid,))
    return Work(cost=cost, store_peak_mib=_memory_mib(stage.store.pid, "VmHWM"))


def _figures(work: Work) -> Sequence[tuple[str, float]]:
    return (
        ("Seconds", work.cost.seconds),
        ("StoreCpuSeconds", work.cost.server_cpu_seconds),
        ("StorePeakMiB", work.store_peak_mib),
    )


def _memory_mib(pid: int, field: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) / 1024


def _medians(runs: Sequence[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in runs), 2) for name in runs[0]}


def _line(figures: Figures) -> str:
    return f"transfer {figures['transferSeconds']:.2f} s, fetch {figures['fetchSeconds']:.2f} s"


def _table(found: Mapping[str, Any]) -> str:
    lines = [f"{found['sizeBytes'] / 2**30:.2f} GiB"]
    for name, figures in found["medians"].items():
        lines.append(
            f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items())
        )
    return "\n".join(lines)
