"""Two API servers, one for a bare client and one for the operator, a store, and the operator."""

import asyncio
import contextlib
import dataclasses
import io
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from bench.measure import cpu_seconds
from dev import samplegguf
from dev.binaries import ensure
from dev.servers import objectstore
from dev.servers.apiclient import install_crds
from dev.servers.apiserver import ApiServer, running
from dev.servers.objectstore import ObjectStore
from dev.servers.process import free_port
from roadstead.api import conditions
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS
from tests.support.builders.objects import make_model
from tests.support.operator.operator_process import operator_process
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

MODEL: Final = "sample"
_KEY: Final = "sample.gguf"
QUIET_PERCENT: Final = 15.0
QUIET_SECONDS: Final = 4.0
STEP_SECONDS: Final = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """Servers and folder; `bare` is the floor's API server, `operated` the operator's."""

    bare: ApiServer
    operated: ApiServer
    store: ObjectStore
    folder: Path

    def environ(self, **changes: str) -> dict[str, str]:
        """The operator's environment, as in the chart except for addresses."""
        return {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.operated.kubeconfig),
            "ROADSTEAD_STORE_ENDPOINT": self.store.endpoint,
            "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(self.store.access_key_file),
            "ROADSTEAD_STORE_SECRET_KEY_FILE": str(self.store.secret_key_file),
            "ROADSTEAD_OPERATOR_IMAGE": "roadstead:bench",
            "ROADSTEAD_SERVER_IMAGE": "llama-server:bench",
            "ROADSTEAD_LEADER_ELECTION": "off",
            "ROADSTEAD_ADMISSION": "off",
            "ROADSTEAD_HTTP_HOST": "127.0.0.1",
            "ROADSTEAD_HTTP_PORT": str(free_port()),
            **changes,
        }


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Start everything except the operator; stop it on exit."""
    programs = ensure("etcd", "kube-apiserver", "helm")
    with tempfile.TemporaryDirectory(prefix="roadstead-bench-") as name:
        folders = {part: Path(name) / part for part in ("bare", "operated", "webhooks")}
        for folder in folders.values():
            folder.mkdir()
        with (
            objectstore.running(Path(name) / "store") as store,
            running(programs, folders["bare"]) as bare,
            running(programs, folders["operated"]) as operated,
        ):
            for server in (bare, operated):
                asyncio.run(install_crds(server))
            _store(store)
            yield Stage(bare=bare, operated=operated, store=store, folder=Path(name))


def _store(store: ObjectStore) -> None:
    """Store one small model."""
    client = minio(store)
    data = samplegguf.sample(300_000)
    client.make_bucket("models")
    client.put_object("models", _KEY, io.BytesIO(data), len(data))


async def stored_model(kube: KubeClient) -> dict[str, Any]:
    """The Model of the stored object, once the operator has verified it."""
    await kube.create(MODELS, make_model(name=MODEL, source={"stored": {}}, minioPath=_KEY))

    async def verified() -> bool:
        found = conditions.find(await kube.get(MODELS, MODEL), "Ready")
        return found is not None and found.true

    await assert_eventually(verified, timeout=120)
    return await kube.get(MODELS, MODEL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatorProcess:
    """A ready operator process and its cost so far."""

    pid: int
    url: str
    began: float
    """Start time by `time.perf_counter`."""
    ready: float
    """Seconds until it was ready."""

    def cpu_seconds(self) -> float:
        """User and system time."""
        return cpu_seconds(self.pid)

    def peak_rss_mib(self) -> float:
        """Peak of its resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the operator has exited")

    async def quiet(self, *, timeout: float = 60.0) -> float:
        """Wait until it is idle for some seconds; returns the seconds from its start until then.

        It may never be: with thousands of servers that are not ready, it checks them in turn.
        """
        busy, before = time.perf_counter(), self.cpu_seconds()
        end = busy + timeout
        while time.perf_counter() - busy < QUIET_SECONDS and time.perf_counter() < end:
            await asyncio.sleep(STEP_SECONDS)
            now = self.cpu_seconds()
            if now - before > STEP_SECONDS * QUIET_PERCENT / 100:
                busy = time.perf_counter()
            before = now
        return busy - self.began


@contextlib.asynccontextmanager
async def operating(stage: Stage, **changes: str) -> AsyncIterator[OperatorProcess]:
    """Run `roadstead operator` as a separate process; SIGTERM stops it on exit."""
    environ = stage.environ(**changes)
    began = time.perf_counter()
    async with operator_process(environ, stage.folder / "operator.log") as process:
        yield OperatorProcess(
            pid=process.pid,
            url=f"http://127.0.0.1:{environ['ROADSTEAD_HTTP_PORT']}",
            began=began,
            ready=time.perf_counter() - began,
        )
