"""`dev/bench transfers [--models 200]`: many small Models at once, compared with `mc cp` in a loop.

Both copy the same object as often, with the same concurrency. The operator runs a process for each
Model, verifies the object and writes the status to the API server; the loop is `xargs -P`.
"""

import argparse
import asyncio
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.measure import cpu_seconds, run
from dev import samplegguf
from dev.binaries import ensure
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from dev.servers.objectstore import ObjectStore
from dev.terminal import echo
from tests.support import custom_objects
from tests.support.apiserver import PROGRAMS
from tests.support.builders.objects import make_model
from tests.support.operator.namespace import condition, delete_all, list_all
from tests.support.operator.operator_process import operator_process
from tests.support.operator.site import BUCKET, Site, running_site
from tests.support.peak_usage import Peak, sampling_peak
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

SIZE: Final = 4 * 2**20
CONNECTIONS: Final = 4
VERIFIED_DEADLINE_SECONDS: Final = 1800.0
LOOP: Final = "seq $MODELS | xargs -P $AT_ONCE -I N $MC cp --quiet source/$FROM store/$TO/N.gguf"

Figures = dict[str, float]


def main(arguments: list[str]) -> int:
    """Run it, print the table, write the JSON; there is no goal."""
    options = _options(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-bench-") as name,
        running(ensure(*PROGRAMS), Path(name)) as server,
        running_site(Path(name)) as site,
    ):
        found = asyncio.run(_contest(site, server, Path(name), options))
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(_table(found))
    echo(f"written to {options.output}")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/bench transfers", description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=4, help="transfers at once")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("bench-transfers.json"))
    return parser.parse_args(arguments)


async def _contest(
    site: Site, server: ApiServer, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Roadstead and the loop in turn."""
    await install_crds(server)
    known = site.publish(samplegguf.sample(SIZE))
    minio(site.store).make_bucket("loop")
    ours, loop = list[Figures](), list[Figures]()
    for turn in range(options.rounds):
        ours.append(await _ours(site, server, folder, known, options))
        loop.append(_loop(site, folder, known, options))
        echo(f"round {turn + 1}: {ours[-1]['seconds']:.1f} s, {loop[-1]['seconds']:.1f} s")
    return {
        "models": options.models,
        "atOnce": options.at_once,
        "sizeBytes": SIZE,
        "medians": {"roadstead": _medians(ours), "mc cp in a loop": _medians(loop)},
        "runs": {"roadstead": ours, "mc cp in a loop": loop},
    }


async def _ours(
    site: Site, server: ApiServer, folder: Path, known: str, options: argparse.Namespace
) -> Figures:
    """Seconds from the first create until the last Model is verified."""
    environ = site.environ(
        server.kubeconfig,
        ROADSTEAD_TRANSFER_CONCURRENCY=str(options.at_once),
        ROADSTEAD_TRANSFER_CONNECTIONS=str(CONNECTIONS),
    )
    port = urlsplit(site.store.endpoint).port or 0
    async with connect(server) as api:
        await delete_all(api)
        async with operator_process(environ, folder / "operator.log") as process:
            with sampling_peak(process.pid, port) as peak:
                started, before = time.monotonic(), _servers_cpu(site)
                body = [
                    make_model(source={"quant": {"modelId": known}}) for _ in range(options.models)
                ]
                await asyncio.gather(*(custom_objects.create(api, each) for each in body))
                await assert_eventually(
                    lambda: _verified(api, options.models),
                    timeout=VERIFIED_DEADLINE_SECONDS,
                    interval=1,
                )
                seconds, stores = time.monotonic() - started, _servers_cpu(site) - before
        await delete_all(api)
    return {"seconds": seconds, "storesCpuSeconds": stores, **_peak_figures(peak)}


async def _verified(api: Any, count: int) -> bool:
    models = await list_all(api, "models")
    ready = [each for each in models if condition(each, "Ready").get("status") == "True"]
    return len(ready) == count


def _peak_figures(peak: Peak) -> Figures:
    return {name: float(value) for name, value in dataclasses.asdict(peak).items()}


def _loop(site: Site, folder: Path, known: str, options: argparse.Namespace) -> Figures:
    """`xargs -P` with `mc cp`, without verification."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "MC": str(ensure("mc")["mc"]),
        "MODELS": str(options.models),
        "AT_ONCE": str(options.at_once),
        "FROM": f"{BUCKET}/{known}.gguf",
        "TO": "loop",
        **_aliases({"source": site.source, "store": site.store}),
    }
    cost = run(
        ("sh", "-c", LOOP),
        environ=environ,
        servers=(site.source.pid, site.store.pid),
        log=folder / "loop.log",
    )
    return {
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "storesCpuSeconds": cost.server_cpu_seconds,
        "rss_mib": options.at_once * cost.peak_rss_mib,
    }


def _aliases(servers: Mapping[str, ObjectStore]) -> dict[str, str]:
    return {
        f"MC_HOST_{name}": f"http://{server.access_key}:{server.secret_key}@"
        f"{server.endpoint.removeprefix('http://')}"
        for name, server in servers.items()
    }


def _servers_cpu(site: Site) -> float:
    return sum(cpu_seconds(server.pid) for server in (site.source, site.store))


def _medians(runs: list[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in runs), 1) for name in runs[0]}


def _table(found: dict[str, Any]) -> str:
    lines = [
        f"{found['models']} Models of {found['sizeBytes'] / 2**20:.0f} MiB, "
        f"{found['atOnce']} at once"
    ]
    for name, figures in found["medians"].items():
        lines.append(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    return "\n".join(lines)
