"""`python -m dev.console`: the console over a ledger of samples, to work on its pages."""

import asyncio
import math
import random
import signal
import tempfile
from pathlib import Path

from dev import binaries, postgres
from dev.postgres import Postgres
from dev.terminal import say
from roadstead.ledger.records import Record
from tests.apiserver.conftest import install_crds
from tests.apiserver.console import samples, stand
from tests.apiserver.control_plane import ApiServer, running
from tests.apiserver.forwardauth.auth_process import make_token

PORT = 8090
LONG = (
    "pod qwen-6c9d-x2m could not start: the image llama-server:v2 can't be pulled; check its name"
)
MISFIT = "the model needs about 6.2 GiB, the limit is 1Gi: raise resources.limits.memory"


def main() -> None:
    """Serve until interrupted."""
    programs = binaries.ensure("etcd", "kube-apiserver", "kubectl")
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-console-") as name,
        postgres.running() as database,
        running(programs, Path(name)) as api,
    ):
        asyncio.run(prepare(database, api))
        dsn = database.dsn("reader")
        with stand.running_console(api.kubeconfig, dsn, Path(name), port=PORT) as console:
            say(f"{console.origin}, until Ctrl-C; tokens of a user and of an administrator:")
            say(make_token("alice", "demo-users", "research"))
            say(make_token("ada", "roadstead-admins"))
            signal.sigwait([signal.SIGINT, signal.SIGTERM])


async def prepare(database: Postgres, api: ApiServer) -> None:
    """The tables, what is in them, and the ConfigMap of revoked tokens."""
    await install_crds(api)
    await stand.make_system(api)
    await stand.migrated(database)
    await stand.write(database, records(f"http://localhost:{PORT}"))


def records(origin: str) -> list[Record]:
    """A few servers in each state, with a day's use of the first."""
    first = samples.serve("gemma", origin=origin)
    served = [
        first,
        samples.serve("assistant", origin=origin, model="qwen3-4b-instruct", age=400_000),
        samples.serve("summaries", origin=origin, model="qwen3-4b-instruct", age=86_000),
        samples.serve(
            "draft",
            origin=origin,
            conditions=samples.ready("False", "Loading", "pod draft-7d loads the model"),
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
        samples.record(samples.model("qwen3-4b-instruct")),
        samples.record(samples.model("mistral-7b", done=False, transfer=transfer)),
        samples.record(samples.contract("demo", expiresAt="2027-06-01T00:00:00Z")),
        samples.record(samples.contract("research", group="research")),
        samples.record(samples.contract("other", group="other-users")),
        *(_used(first, minutes) for minutes in range(24 * 60, -1, -1)),
        samples.sample(served[1], 10, memory=300.0, cpu=7.0),
        samples.sample(served[2], 10, memory=420.0, cpu=14.0),
        samples.decision(first, 7201),
        samples.decision(
            first,
            600,
            message="spec.replicas: 5 replicas; contract demo allows 2 replicas for one server",
        ),
    ]


def _used(server: samples.Object, minutes: int) -> Record:
    busy = max(0.0, math.sin(minutes / 45)) * 80 + random.random() * 8  # noqa: S311 - a wiggle
    memory = 420 + 160 * math.sin(minutes / 200) ** 2
    return samples.sample(server, minutes * 60, memory=memory, cpu=busy)


if __name__ == "__main__":
    main()
