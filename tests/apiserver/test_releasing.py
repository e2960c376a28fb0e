"""`roadstead release-models` on a real API server: what holds Models when no operator is left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client

from roadstead.__main__ import main
from roadstead.api.group import FINALIZER
from tests.support import custom_objects
from tests.support.builders.objects import Raw, make_model

LEASE = "roadstead-operator"
OTHERS = "example.com/others"
LABELS = {"app.kubernetes.io/name": "roadstead", "app.kubernetes.io/component": "operator"}


@pytest.fixture
async def model(api: client.ApiClient) -> AsyncIterator[Raw]:
    """A Model that an operator had taken hold of, and somebody else."""
    body = make_model()
    body["metadata"]["finalizers"] = [FINALIZER, OTHERS]
    yield await custom_objects.create(api, body)
    await custom_objects.patch(api, body, {"metadata": {"finalizers": None}})
    await custom_objects.delete(api, body)


@pytest.fixture
async def lease(api: client.ApiClient, namespace: str) -> str:
    """The Lease that a leader made anew when Helm deleted it."""
    body = client.V1Lease(metadata=client.V1ObjectMeta(name=LEASE))
    await client.CoordinationV1Api(api).create_namespaced_lease(namespace, body)
    return LEASE


async def release(
    monkeypatch: pytest.MonkeyPatch, kubeconfig: Path, namespace: str, *more: str
) -> int:
    """Run the command as a person does; its exit code."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    arguments = ["release-models", "--operator", f"{namespace}/{LEASE}", *more]
    return await asyncio.to_thread(main, arguments)


async def finalizers(api: client.ApiClient, model: Raw) -> Any:
    return (await custom_objects.get(api, model))["metadata"].get("finalizers")


async def operator_pod(api: client.ApiClient, namespace: str) -> None:
    """A pod of the operator's; nobody starts it here."""
    body = client.V1Pod(
        metadata=client.V1ObjectMeta(name="roadstead-operator-0", labels=LABELS),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name="operator", image="roadstead:test")]
        ),
    )
    await client.CoreV1Api(api).create_namespaced_pod(namespace, body)


async def test_our_finalizer_goes_and_that_of_others_stays(
    api: client.ApiClient,
    model: Raw,
    namespace: str,
    kubeconfig: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await release(monkeypatch, kubeconfig, namespace) == 0
    assert await finalizers(api, model) == [OTHERS]
    assert re.search(r"released [1-9]\d* Models", capsys.readouterr().out)


async def test_a_lease_that_was_made_anew_goes_too(
    api: client.ApiClient,
    lease: str,
    namespace: str,
    kubeconfig: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await release(monkeypatch, kubeconfig, namespace) == 0
    left = await client.CoordinationV1Api(api).list_namespaced_lease(namespace)
    assert left.items == []


async def test_nothing_is_let_go_of_while_an_operator_runs(
    api: client.ApiClient,
    model: Raw,
    namespace: str,
    kubeconfig: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await operator_pod(api, namespace)
    assert await release(monkeypatch, kubeconfig, namespace, "--wait", "0") == 2
    assert "roadstead-operator-0 would add the finalizers again" in capsys.readouterr().err
    assert await finalizers(api, model) == [FINALIZER, OTHERS]
