"""`roadstead operator`, in this process or as a child process."""

import asyncio
import contextlib
import functools
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from dev.servers.process import answers, start, stop_gracefully, until_ready
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.kube.kube_client import KubeClient
from roadstead.process.operator import Operator
from tests.support.waiting import assert_eventually

COMMAND = (sys.executable, "-m", "roadstead", "operator")
READY_SECONDS = 120
STOP_SECONDS = 60


@contextlib.asynccontextmanager
async def operating(environ: dict[str, str]) -> AsyncIterator[Operator]:
    """Run an operator in this process while the block runs; it is ready in it."""
    settings = OperatorSettings.from_env(environ)
    api = await KubeClient.connect(settings.kubeconfig)
    stop = asyncio.Event()
    operator = Operator(settings, api)
    task = asyncio.create_task(operator.run(stop))
    try:
        await assert_eventually(
            lambda: task.done() or is_ready(settings.http_port), timeout=READY_SECONDS
        )
        yield operator
    finally:
        stop.set()
        await task
        await api.close()


@contextlib.asynccontextmanager
async def operator_process(
    environ: Mapping[str, str], log: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run `roadstead operator` as a child process that is ready; the block may stop it."""
    process = spawn(environ, log)
    try:
        await until_operator_ready(process, int(environ["ROADSTEAD_HTTP_PORT"]), log)
        yield process
    finally:
        # In a thread: proxies that its shutdown may need run in this event loop.
        await asyncio.to_thread(stop_operator, process, log)


def spawn(environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `roadstead operator`, appending to the log."""
    return start(COMMAND, log, append=True, env=dict(environ))


async def until_operator_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until its caches are synced. Raises StepTimeout with the end of its log."""
    ready = functools.partial(answers, f"http://127.0.0.1:{port}/readyz")
    await asyncio.to_thread(until_ready, "the operator", ready, process, log, seconds=READY_SECONDS)


def stop_operator(process: subprocess.Popen[bytes], log: Path) -> None:
    """Stop it with SIGTERM. Raises StepTimeout if it doesn't exit."""
    stop_gracefully("the operator", process, log, seconds=STOP_SECONDS)


async def is_ready(port: int) -> bool:
    """Whether the operator that listens on this port is ready."""
    return await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/readyz")
