"""Several replicas of `roadstead operator`, each with its own ServiceAccount."""

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
"""As in the chart: on a loaded machine a leader may be some seconds late."""
TIMES = {
    "ROADSTEAD_LEADER_ELECTION": "required",
    "ROADSTEAD_LEASE_SECONDS": str(SECONDS),
    "ROADSTEAD_LEASE_DEADLINE_SECONDS": str(DEADLINE),
    "ROADSTEAD_LEASE_RENEW_SECONDS": str(RENEW),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replica:
    """A process of one replica."""

    name: str
    namespace: str
    port: int
    log: Path
    audit: Path
    process: subprocess.Popen[bytes]

    def metrics(self) -> str:
        """Its metrics page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as page:
            return str(page.read().decode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        self.process.send_signal(number)

    async def code(self) -> int:
        """Wait until it exits; its exit code."""
        return await asyncio.to_thread(self.process.wait, 120)

    def writes(self) -> list[Write]:
        """Its writes, without those of Leases."""
        return writes(self.audit, {user(self.namespace, self.name)})


@dataclasses.dataclass(kw_only=True)
class Replicas:
    """Starts replicas in a test's namespace, and reads the Lease."""

    operated: Operated
    server: ApiServer
    folder: Path
    environ: dict[str, str] = dataclasses.field(default_factory=dict)
    running: list[Replica] = dataclasses.field(default_factory=list)

    async def start(self, name: str) -> Replica:
        """Start another replica and wait until its caches are synced."""
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
        """Wait until the replica holds the Lease."""
        await assert_eventually(lambda: self._holds_lease(replica))

    async def lease(self) -> dict[str, Any]:
        """The Lease's spec."""
        spec: dict[str, Any] = (await get_raw(self.operated.api, self.path)).get("spec", {})
        return spec

    async def edit(self, **spec: object) -> None:
        """Edit the Lease as an administrator."""
        await send_raw(self.operated.api, "PATCH", self.path, {"spec": spec})

    async def delete(self) -> None:
        """Delete the Lease as an administrator."""
        await send_raw(self.operated.api, "DELETE", self.path)

    @property
    def path(self) -> str:
        """The path of the Lease."""
        return f"{_leases(self.operated.namespace)}/{LEASE}"

    async def _holds_lease(self, replica: Replica) -> bool:
        holder = (await self.lease()).get("holderIdentity") or ""
        return str(holder).startswith(f"{replica.name}_")

    async def _kubeconfig(self, name: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        token = await account(self.operated, name)
        path.write_text(json.dumps(kubeconfig_content(self.server.url, self.server.ca, token)))
        return path


async def account(operated: Operated, name: str) -> str:
    """Create a ServiceAccount with all rights in the namespace; returns its token."""
    core = client.CoreV1Api(operated.api)
    namespace = operated.namespace
    meta = client.V1ObjectMeta(name=name)
    await core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata=meta))
    await _bind_cluster_admin(operated, name)
    asked = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=["https://kubernetes.default.svc"])
    )
    given = await core.create_namespaced_service_account_token(name, namespace, asked)
    assert given.status
    return str(given.status.token)


def user(namespace: str, name: str) -> str:
    """The user name of a ServiceAccount at the API server."""
    return f"system:serviceaccount:{namespace}:{name}"


async def _bind_cluster_admin(operated: Operated, name: str) -> None:
    namespace = operated.namespace
    subject = client.RbacV1Subject(kind="ServiceAccount", name=name, namespace=namespace)
    role = client.V1RoleRef(
        api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"
    )
    meta = client.V1ObjectMeta(name=f"{namespace}-{name}")
    binding = client.V1ClusterRoleBinding(metadata=meta, subjects=[subject], role_ref=role)
    await client.RbacAuthorizationV1Api(operated.api).create_cluster_role_binding(binding)


@contextlib.asynccontextmanager
async def running_replicas(
    operated: Operated, server: ApiServer, folder: Path, **environ: str
) -> AsyncIterator[Replicas]:
    """Create a Lease as the chart does; replicas that still run are killed after the block."""
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
    """A time of a Lease."""
    return datetime.datetime.fromisoformat(text)
