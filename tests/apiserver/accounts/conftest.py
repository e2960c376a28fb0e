"""An API server with the chart's rights and policies, and clients of the accounts that they hold.

An attacker who has taken over an account has its token and nothing more: so have the clients.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev import binaries
from dev.gateway.crds import crd_files
from dev.servers.apiserver import ApiServer, kubeconfig_content
from roadstead.errors import KubeError, KubeRejected
from roadstead.kube import resources
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import Resource, resource_of
from tests.apiserver.accounts.rendering import child, deployment, job, without_owner
from tests.support.apiserver import apiserver, fresh_namespace
from tests.support.charts import EMBEDDED_GATEWAY, JOBS, Chart, Object, Rendered
from tests.support.waiting import assert_eventually

__all__ = ["apiserver"]

RELEASE = "roadstead-system"
KINDS = {
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}
Token = Callable[[str], Path]


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """The chart with a gateway, transfers as Jobs and a pull Secret that is copied."""
    pulls = {"servers": {"pullSecrets": [{"name": "regcred", "copy": True}]}}
    return Chart(helm=binaries.ensure("helm")["helm"]).render({**JOBS, **EMBEDDED_GATEWAY, **pulls})


@pytest.fixture(scope="package")
def release(
    apiserver: ApiServer, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Token:
    """The release's objects and all kinds are there; a kubeconfig for one of its accounts."""
    kubectl, folder = binaries.ensure("kubectl")["kubectl"], tmp_path_factory.mktemp("accounts")

    def run(*arguments: str, stdin: str = "") -> str:
        command = [str(kubectl), f"--kubeconfig={apiserver.kubeconfig}", *arguments]
        env = {**os.environ, "HOME": str(folder)}
        done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @functools.cache
    def token_of(part: str) -> Path:
        token = run("create", "token", f"roadstead-{part}", "-n", RELEASE)
        content = kubeconfig_content(apiserver.url, apiserver.ca, token)
        file = folder / part
        file.write_text(json.dumps(content))
        return file

    # Traefik's alone: one of the Gateway API needs Kubernetes 1.31.
    files = ("-f", str(crd_files()[0]))
    run("apply", "--server-side", *files)
    run("wait", "--for=condition=Established", "--timeout=120s", *files)
    run("create", "namespace", RELEASE)
    wanted = [each for each in rendered.objects if each["kind"] in KINDS]
    services = [rendered.one("Service", f"roadstead-{part}") for part in ("console", "gateway")]
    items = {"apiVersion": "v1", "kind": "List", "items": [*wanted, *services]}
    run("apply", "--server-side", "-f", "-", stdin=json.dumps(items))
    # Policies have to hold where a role was widened.
    accounts = [f"--serviceaccount={RELEASE}:roadstead-{part}" for part in ("operator", "webhooks")]
    run("create", "clusterrolebinding", "wide", "--clusterrole=cluster-admin", *accounts)
    return token_of


@pytest.fixture
async def admin(apiserver: ApiServer) -> AsyncIterator[KubeClient]:
    """Whom no policy concerns."""
    connected = await KubeClient.connect(str(apiserver.kubeconfig))
    yield connected
    await connected.close()


@pytest.fixture
async def place(api: client.ApiClient, release: Token) -> str:
    """A tenant's namespace."""
    return await fresh_namespace(api, "tenant")


@pytest.fixture
async def operator(release: Token, rendered: Rendered) -> AsyncIterator[KubeClient]:
    """The operator's account, once it has its rights and both of its policies are held."""
    connected = await KubeClient.connect(str(release("operator")))
    transfer = job(rendered)
    transfer["metadata"]["namespace"] = "default"
    kinds = ("Secret", "IngressRoute", "Middleware")
    bodies = [without_owner(child("default", kind)) for kind in kinds]
    refused = [(resource_of(body), body) for body in (*bodies, deployment("default", hostPID=True))]
    for resource, body in (*refused, (resources.JOBS, transfer)):
        await assert_eventually(partial(refuses, connected, resource, body))
    yield connected
    await connected.close()


@pytest.fixture
async def webhooks(release: Token) -> AsyncIterator[KubeClient]:
    """The webhooks' account."""
    connected = await KubeClient.connect(str(release("webhooks")))
    yield connected
    await connected.close()


async def refuses(account: KubeClient, resource: Resource, body: Object) -> bool:
    """Whether a policy refuses to create it; it is not stored."""
    try:
        await account.create(resource, body, dry_run=True)
    except KubeError as error:
        return "ValidatingAdmissionPolicy" in str(error)
    return False


async def refusal(attempt: Awaitable[object]) -> str:
    """The policy's message."""
    with pytest.raises(KubeRejected, match="ValidatingAdmissionPolicy") as caught:
        await attempt
    return str(caught.value)
