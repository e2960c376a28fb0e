"""`roadstead console` as a child process, with a Postgres and an API server of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ConflictException

from dev.console.tokens import AUDIENCE, ISSUER, SECRET
from dev.servers import process
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, free_ports

SYSTEM = "console-system"
REVOCATIONS = "roadstead-revocations"
START_DEADLINE_SECONDS = 120.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConsoleProcess:
    """A running console process."""

    port: int
    probe_port: int
    log: Path
    process: subprocess.Popen[bytes] = dataclasses.field(repr=False)

    @property
    def origin(self) -> str:
        """Address of its pages: browsers accept a secure cookie from localhost without TLS."""
        return f"http://localhost:{self.port}"


@contextlib.contextmanager
def running_console(
    kubeconfig: Path, dsn: str, folder: Path, *, port: int = 0, **environ: str
) -> Iterator[ConsoleProcess]:
    """A console that is ready; SIGTERM stops it on exit. Its DSN file is `folder / "dsn"`."""
    free, probe_port = free_ports(2)
    port = port or free
    (folder / "secret").write_bytes(SECRET)
    (folder / "dsn").write_text(dsn)
    issuers = [{"issuer": ISSUER, "audience": AUDIENCE, "secretFile": "secret"}]
    (folder / "issuers.json").write_text(json.dumps(issuers))
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "ROADSTEAD_NAMESPACE": SYSTEM,
        "ROADSTEAD_REVOCATIONS": REVOCATIONS,
        "ROADSTEAD_LEDGER_DSN_FILE": str(folder / "dsn"),
        "ROADSTEAD_GATEWAY_URL": f"http://localhost:{port}",
        "ROADSTEAD_HTTP_HOST": "127.0.0.1",
        "ROADSTEAD_HTTP_PORT": str(port),
        "ROADSTEAD_PROBE_PORT": str(probe_port),
        "ROADSTEAD_TOKEN_ISSUERS_FILE": str(folder / "issuers.json"),
        "ROADSTEAD_SHUTDOWN_GRACE_SECONDS": "0",
        "ROADSTEAD_LOG_FORMAT": "console",
        **environ,
    }
    log = folder / "console.log"
    with process.running(
        "the console",
        [sys.executable, "-m", "roadstead", "console"],
        log,
        functools.partial(answers, f"http://127.0.0.1:{probe_port}/readyz"),
        seconds=START_DEADLINE_SECONDS,
        env={**os.environ, **settings},
    ) as started:
        yield ConsoleProcess(port=port, probe_port=probe_port, log=log, process=started)


async def make_system(server: ApiServer) -> None:
    """Create the console's namespace and ConfigMap, as the chart does, unless they exist."""
    async with connect(server) as api:
        core = client.CoreV1Api(api)
        namespace = client.V1Namespace(metadata=client.V1ObjectMeta(name=SYSTEM))
        revocations = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=REVOCATIONS))
        with contextlib.suppress(ConflictException):
            await core.create_namespace(namespace)
            await core.create_namespaced_config_map(SYSTEM, revocations)
