"""Servers under contract, as in the operator's watch cache."""

from __future__ import annotations

from typing import Any

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.raw import Raw


def make_server(
    name: str = "gemma",
    *,
    replicas: int = 1,
    contract: str = "demo",
    created: str = "2026-01-01T00:00:00Z",
    cpu: str = "1",
) -> Raw:
    """A ModelServe in namespace `demo` whose UID is derived from its name."""
    return {
        "metadata": {
            "name": name,
            "namespace": "demo",
            "uid": f"uid-{name}",
            "creationTimestamp": created,
        },
        "spec": {
            "modelName": "gemma-3-270m",
            "replicas": replicas,
            "contract": contract,
            "resources": {"limits": {"cpu": cpu, "memory": "1Gi"}},
        },
    }


def make_contract(*, status: Raw | None = None, name: str = "demo", **spec: Any) -> Raw:
    """A contract for group demo-users in namespace demo."""
    return {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ResourceContract",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "namespaces": {"names": ["demo"]},
            "authorization": {"groups": ["demo-users"]},
            "models": ["*"],
            **spec,
        },
        "status": status or {},
    }


def parsed(**spec: Any) -> ResourceContract:
    """`make_contract`, parsed."""
    return ResourceContract.parse(make_contract(**spec))
