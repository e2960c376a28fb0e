"""What pods somebody with the token of the operator's account can have started."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import DEPLOYMENTS, JOBS
from tests.apiserver.accounts.conftest import refusal
from tests.apiserver.accounts.rendering import (
    HOST_PATH,
    deployment,
    job,
    with_container,
    with_pod,
)
from tests.support.charts import Object, Rendered

SECRET = {"secret": {"name": "keys"}}
ACCOUNT_TOKEN = {"serviceAccountToken": {"path": "b"}}
TOKEN = {"name": "a", "projected": {"sources": [ACCOUNT_TOKEN]}}
TOKEN_BESIDE_A_SECRET = {"name": "a", "projected": {"sources": [SECRET, ACCOUNT_TOKEN]}}
Tampering = Callable[[Object], Object]

POD_TAMPERING = {
    "host-network": ({"hostNetwork": True}, "namespace"),
    "host-pid": ({"hostPID": True}, "namespace"),
    "host-ipc": ({"hostIPC": True}, "namespace"),
    "host-path": ({"volumes": [HOST_PATH]}, "emptyDir and secret"),
    "csi": ({"volumes": [{"name": "a", "csi": {"driver": "b"}}]}, "emptyDir and secret"),
    "claim": (
        {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "b"}}]},
        "emptyDir and secret",
    ),
    "token-volume": ({"volumes": [TOKEN]}, "emptyDir and secret"),
    "token-beside-a-secret": ({"volumes": [TOKEN_BESIDE_A_SECRET]}, "projected ones of Secrets"),
    "another-account": ({"serviceAccountName": "cluster-admin"}, "ServiceAccount"),
    "token": ({"automountServiceAccountToken": True}, "ServiceAccount"),
    "root": ({"securityContext": {"runAsUser": 0}}, "as root"),
    "perhaps-root": ({"securityContext": {"runAsNonRoot": False}}, "as root"),
    "unconfined": (
        {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}},
        "seccompProfile",
    ),
    "selinux": (
        {
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
                "seLinuxOptions": {"type": "spc_t"},
            }
        },
        "other options of the node",
    ),
}
CONTAINER_TAMPERING = {
    "privileged": {"privileged": True, "allowPrivilegeEscalation": True},
    "escalation": {"allowPrivilegeEscalation": True},
    "capabilities": {"capabilities": {"add": ["SYS_ADMIN"]}},
    "root-container": {"runAsUser": 0, "runAsNonRoot": False},
    "unconfined-container": {"seccompProfile": {"type": "Unconfined"}},
    "no-apparmor": {"appArmorProfile": {"type": "Unconfined"}},
}
PODS = [
    *(
        pytest.param(lambda body, pod=pod: with_pod(body, **pod), words, id=name)
        for name, (pod, words) in POD_TAMPERING.items()
    ),
    *(
        pytest.param(
            lambda body, security=security: with_container(body, securityContext=security),
            "without privileges",
            id=name,
        )
        for name, security in CONTAINER_TAMPERING.items()
    ),
    pytest.param(
        lambda body: with_container(body, ports=[{"containerPort": 8080, "hostPort": 8080}]),
        "port of their node",
        id="host-port",
    ),
]


@pytest.mark.parametrize(("tampered", "words"), PODS)
async def test_no_pod_of_a_server_gets_more_than_a_server_has(
    operator: KubeClient, place: str, tampered: Tampering, words: str
) -> None:
    assert words in await refusal(operator.create(DEPLOYMENTS, tampered(deployment(place))))


@pytest.mark.parametrize(("tampered", "words"), PODS)
async def test_no_pod_of_a_server_gets_more_later(
    operator: KubeClient, place: str, tampered: Tampering, words: str
) -> None:
    body = deployment(place)
    await operator.create(DEPLOYMENTS, body)
    assert words in await refusal(operator.apply(DEPLOYMENTS, tampered(body)))


@pytest.mark.parametrize(("tampered", "words"), PODS)
async def test_no_pod_of_a_transfer_gets_more_than_a_transfer_has(
    operator: KubeClient, place: str, rendered: Rendered, tampered: Tampering, words: str
) -> None:
    assert words in await refusal(operator.create(JOBS, tampered(job(rendered))))


@pytest.mark.parametrize("account", ["roadstead-operator", "roadstead-webhooks", "default"])
async def test_a_transfer_runs_as_no_other_account_of_the_release(
    operator: KubeClient, place: str, rendered: Rendered, account: str
) -> None:
    body = job(rendered, serviceAccountName=account)
    assert "as their own ServiceAccount" in await refusal(operator.create(JOBS, body))


async def test_what_others_take_off_a_server_does_not_keep_it_running(
    operator: KubeClient, admin: KubeClient, place: str
) -> None:
    body = deployment(place)
    await operator.create(DEPLOYMENTS, body)
    bare = {"ownerReferences": None, "labels": None, "annotations": None}
    name = body["metadata"]["name"]
    await admin.patch(DEPLOYMENTS, name, {"metadata": bare}, namespace=place)
    stopped = await operator.patch(
        DEPLOYMENTS, name, {"metadata": {}, "spec": {"replicas": 0}}, namespace=place
    )
    assert stopped["spec"]["replicas"] == 0


async def test_what_others_put_into_a_server_does_not_keep_it_running(
    operator: KubeClient, admin: KubeClient, place: str
) -> None:
    body = deployment(place)
    await operator.create(DEPLOYMENTS, body)
    sidecar = {"name": "a", "image": "b", "securityContext": {"privileged": True}}
    pod = {"volumes": [HOST_PATH], "containers": [sidecar], "hostPID": True}
    template = {"template": {"spec": with_pod(body, **pod)["spec"]["template"]["spec"]}}
    meta = {"ownerReferences": None}
    name = body["metadata"]["name"]
    await admin.patch(DEPLOYMENTS, name, {"metadata": meta, "spec": template}, namespace=place)
    body["spec"]["replicas"] = 0
    assert (await operator.apply(DEPLOYMENTS, body))["spec"]["replicas"] == 0
