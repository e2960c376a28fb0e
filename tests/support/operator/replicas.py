"""Several replicas of `roadstead operator`, each with a name of its own at the API server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import json
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kubernetes.aio import client

from dev.servers.apiserver import ApiServer, kubeconfig_content
from dev.servers.process import free_port
from tests.support.audit import Write, writes
from tests.support.operator.namespace import Operated
from tests.support.operator.operator_process import spawn, until_operator_ready
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

LEASE = "roadstead-operator"
SECONDS = 15
DEADLINE = 10
RENEW = 2
"""Those of the chart: on a busy machine a leader may well be late by some seconds."""
TIMES = {
    "ROADSTEAD_LEADER_ELECTION": "required",
    "ROADSTEAD_LEASE_SECONDS": str(SECONDS),
    "ROADSTEAD_LEASE_DEADLINE_SECONDS": str(DEADLINE),
    "ROADSTEAD_LEASE_RENEW_SECONDS": str(RENEW),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replica:
    """One process."""

    name: str
    namespace: str
    port: int
    log: Path
    audit: Path
    process: subprocess.Popen[bytes]

    def metrics(self) -> str:
        """Its page of metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as page:
            return str(page.read().decode())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def code(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, 120)

    def writes(self) -> list[Write]:
        """What it wrote, its Leases left out."""
        return writes(self.audit, {user(self.namespace, self.name)})


@dataclasses.dataclass(kw_only=True)
class Replicas:
    """Starts replicas in a test's namespace, and knows which of them leads."""

    operated: Operated
    server: ApiServer
    folder: Path
    environ: dict[str, str] = dataclasses.field(default_factory=dict)
    running: list[Replica] = dataclasses.field(default_factory=list)

    async def start(self, name: str) -> Replica:
        """One more, that is ready: its caches are full."""
        port, log = free_port(), self.folder / f"{name}.log"
        environ = self.operated.site.environ(
            await self._kubeconfig(name),
            ROADSTEAD_NAMESPACE=self.operated.namespace,
            ROADSTEAD_HTTP_PORT=str(port),
            HOSTNAME=name,
            **TIMES | self.environ,
        )
        replica = Replica(
            name=name,
            namespace=self.operated.namespace,
            port=port,
            log=log,
            audit=self.server.audit,
            process=spawn(environ, log),
        )
        self.running.append(replica)
        await until_operator_ready(replica.process, port, log)
        return replica

    async def leads(self, replica: Replica) -> None:
        """Wait until the Lease names it."""
        await assert_eventually(lambda: self._named(replica))

    async def lease(self) -> dict[str, Any]:
        """The Lease's spec."""
        spec: dict[str, Any] = (await get_raw(self.operated.api, self.path)).get("spec", {})
        return spec

    async def edit(self, **spec: object) -> None:
        """Change the Lease by hand."""
        await send_raw(self.operated.api, "PATCH", self.path, {"spec": spec})

    async def delete(self) -> None:
        """Delete the Lease by hand."""
        await send_raw(self.operated.api, "DELETE", self.path)

    @property
    def path(self) -> str:
        """Of the Lease."""
        return f"{_leases(self.operated.namespace)}/{LEASE}"

    async def _named(self, replica: Replica) -> bool:
        holder = (await self.lease()).get("holderIdentity") or ""
        return str(holder).startswith(f"{replica.name}_")

    async def _kubeconfig(self, name: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        token = await account(self.operated, name)
        path.write_text(json.dumps(kubeconfig_content(self.server.url, self.server.ca, token)))
        return path


async def account(operated: Operated, name: str) -> str:
    """The token of a ServiceAccount, made in the namespace, that may do anything."""
    core = client.CoreV1Api(operated.api)
    namespace = operated.namespace
    meta = client.V1ObjectMeta(name=name)
    await core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata=meta))
    await _everything_is_allowed(operated, name)
    asked = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=["https://kubernetes.default.svc"])
    )
    given = await core.create_namespaced_service_account_token(name, namespace, asked)
    assert given.status
    return str(given.status.token)


def user(namespace: str, name: str) -> str:
    """A ServiceAccount's name at the API server."""
    return f"system:serviceaccount:{namespace}:{name}"


async def _everything_is_allowed(operated: Operated, name: str) -> None:
    namespace = operated.namespace
    subject = client.RbacV1Subject(kind="ServiceAccount", name=name, namespace=namespace)
    role = client.V1RoleRef(
        api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"
    )
    meta = client.V1ObjectMeta(name=f"{namespace}-{name}")
    binding = client.V1ClusterRoleBinding(metadata=meta, subjects=[subject], role_ref=role)
    await client.RbacAuthorizationV1Api(operated.api).create_cluster_role_binding(binding)


@contextlib.asynccontextmanager
async def standing(
    operated: Operated, server: ApiServer, folder: Path, **environ: str
) -> AsyncIterator[Replicas]:
    """Replicas around a Lease as the chart makes it; those that still run end with the block."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE},
    }
    await send_raw(operated.api, "POST", _leases(operated.namespace), body)
    replicas = Replicas(operated=operated, server=server, folder=folder, environ=environ)
    try:
        yield replicas
    finally:
        for each in replicas.running:
            each.process.kill()
            await each.code()


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def moment(text: str) -> datetime.datetime:
    """A time in a Lease."""
    return datetime.datetime.fromisoformat(text)
