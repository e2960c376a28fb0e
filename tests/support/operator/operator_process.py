"""`roadstead operator`, in this process or as a child process."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from dev.servers.process import answers
from roadstead.controllers.operator import Operator
from roadstead.controllers.settings import OperatorSettings
from roadstead.kube.client import KubeClient
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def operating(environ: dict[str, str]) -> AsyncIterator[Operator]:
    """An operator that is ready within it, and gone after it."""
    settings = OperatorSettings.from_env(environ)
    api = await KubeClient.connect(settings.kubeconfig)
    stop = asyncio.Event()
    operator = Operator(settings, api)
    task = asyncio.create_task(operator.run(stop))
    try:
        await eventually(lambda: task.done() or is_ready(settings.http_port), timeout=60)
        yield operator
    finally:
        stop.set()
        await task
        await api.close()


@contextlib.asynccontextmanager
async def operator_process(
    environ: Mapping[str, str], log: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`roadstead operator` as a process of its own that is ready; it may end within the block."""
    process = spawn(environ, log)
    try:
        await eventually(lambda: is_ready(int(environ["ROADSTEAD_HTTP_PORT"])), timeout=60)
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def spawn(environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "roadstead", "operator"],
            env=dict(environ),
            stdout=output,
            stderr=output,
        )


async def is_ready(port: int) -> bool:
    return await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/readyz")
