"""A console with an API server and a ledger of sample data."""

import asyncio
import contextlib
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubernetes.aio import client

from dev import binaries
from dev.console import sample_ledger, samples, server
from dev.servers import apiserver, postgres
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from roadstead.ledger.records import Record

PORT = 8090
HEADER: samples.Object = {
    "blockCount": 18, "embeddingLength": 640, "headCount": 4, "headCountKv": 1, "keyLength": 256,
    "valueLength": 256, "slidingWindow": 512, "headerBytes": 6_600_000,
}  # fmt: skip
QWEN = {"architecture": "qwen3", "parameterCount": 4_022_000_000, "contextLength": 40_960}
LONG = (
    "pod qwen-6c9d-x2m could not start: the image llama-server:v2 can't be pulled; check its name"
)
MISFIT = "the model needs about 6.2 GiB, the limit is 1Gi: raise resources.limits.memory"


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a console with the sample data."""
    programs = binaries.ensure("etcd", "kube-apiserver", "kubectl")
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-console-") as name,
        postgres.running() as database,
        apiserver.running(programs, Path(name)) as api,
    ):
        asyncio.run(prepare(database, api))
        dsn = database.dsn("reader")
        with server.running_console(api.kubeconfig, dsn, Path(name), port=PORT) as console:
            yield console.origin


async def prepare(database: Postgres, api: ApiServer) -> None:
    """Create the tables, their rows, and the ConfigMap of revoked tokens."""
    await install_crds(api)
    await server.make_system(api)
    await sample_ledger.migrate_tables(database)
    await sample_ledger.write(database, records(f"http://localhost:{PORT}"))
    await _create_model(api)


async def _create_model(api: ApiServer) -> None:
    """Create the Model that memory is estimated for, with its gguf header."""
    raw = samples.model("gemma-3-270m")
    raw["status"]["gguf"] = samples.GEMMA | HEADER
    for each in raw["status"]["conditions"]:
        each.update(lastTransitionTime="2026-01-01T00:00:00Z", observedGeneration=1)
    status = {name: value for name, value in raw["status"].items() if name != "transfer"}
    body = {**raw, "metadata": {"name": "gemma-3-270m"}, "status": status}
    async with connect(api) as connected:
        objects = client.CustomObjectsApi(connected)
        where = ("model.example.com", "v1alpha1", "models")
        made: Any = await objects.create_cluster_custom_object(*where, body)
        await objects.replace_cluster_custom_object_status(
            *where, "gemma-3-270m", {**made, "status": status}
        )
        core = client.CoreV1Api(connected)
        meta = client.V1ObjectMeta(name="demo")
        await core.create_namespace(client.V1Namespace(metadata=meta))


def records(origin: str) -> list[Record]:
    """A few servers in each state, with a day of usage of the first."""
    first = samples.serve("gemma", origin=origin)
    served = [
        first,
        samples.serve("assistant", origin=origin, model="qwen3-4b-instruct", age=400_000),
        samples.serve("summaries", origin=origin, model="qwen3-4b-instruct", age=86_000),
        samples.serve(
            "draft",
            origin=origin,
            conditions=samples.ready("False", "Loading", "pod draft-7d is loading the model"),
            age=90,
        ),
        samples.serve(
            "translate", origin=origin, conditions=samples.ready("False", "ImagePullFailed", LONG)
        ),
        samples.serve(
            "big", origin=origin, conditions=samples.ready("False", "OutOfMemory", MISFIT)
        ),
        samples.serve("night", origin=origin, conditions=samples.ready("False", "ScaledToZero")),
        samples.serve("elsewhere", namespace="research", contract="research", origin=origin),
    ]
    transfer = {
        "percent": 42,
        "bytesDone": 1_050_000_000,
        "bytesTotal": 2_500_000_000,
        "bytesPerSecond": 150_000_000,
    }
    return [
        *map(samples.record, served),
        samples.record(samples.model("gemma-3-270m")),
        samples.record(
            samples.model(
                "qwen3-4b-instruct", size=2_497_000_000, gguf=QWEN, displayName="Qwen3 4B Instruct"
            )
        ),
        samples.record(samples.model("mistral-7b", done=False, transfer=transfer)),
        samples.record(samples.contract("demo", expiresAt="2027-06-01T00:00:00Z")),
        samples.record(samples.contract("research", group="research")),
        samples.record(samples.contract("other", group="other-users")),
        *(_usage_record(first, minutes) for minutes in range(24 * 60, -1, -1)),
        samples.sample(served[1], 10, memory=300.0, cpu=7.0),
        samples.sample(served[2], 10, memory=420.0, cpu=14.0),
        samples.decision(first, 7201),
        samples.decision(
            first,
            600,
            message="spec.replicas: 5 replicas; contract demo allows 2 replicas for one server",
        ),
    ]


def _usage_record(server: samples.Object, minutes: int) -> Record:
    busy = max(0.0, math.sin(minutes / 45)) * 80 + random.random() * 8  # noqa: S311 - noise
    memory = 420 + 160 * math.sin(minutes / 200) ** 2
    return samples.sample(server, minutes * 60, memory=memory, cpu=busy)
