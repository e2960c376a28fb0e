"""The namespaces whose servers' pods may connect to the embedded store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_NAME
from roadstead.api.raw import Raw, section
from roadstead.manifests.digest import with_digest
from roadstead.manifests.names import SERVER
from roadstead.manifests.rendering import Manifest

SUFFIX: Final = "-servers"
_PODS: Final = {"matchLabels": {LABEL_NAME: SERVER, LABEL_MANAGED_BY: FIELD_MANAGER}}


def store_policy(base: Raw, namespaces: Iterable[str]) -> Manifest:
    """The NetworkPolicy that adds servers' pods to `base`, the chart's, which owns it."""
    meta, spec = section(base, "metadata"), section(base, "spec")
    ports = [port for rule in spec.get("ingress") or () for port in rule.get("ports") or ()]
    owner = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "name": meta["name"],
        "uid": meta["uid"],
    }
    manifest: Manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"{meta['name']}{SUFFIX}",
            "namespace": meta["namespace"],
            "ownerReferences": [owner],
        },
        "spec": {
            "podSelector": spec["podSelector"],
            "policyTypes": ["Ingress"],
            **_ingress(sorted(namespaces), ports),
        },
    }
    return with_digest(manifest)


def _ingress(namespaces: list[str], ports: list[Raw]) -> dict[str, Any]:
    """Empty without namespaces, which allows no pods; an empty list would not be stored."""
    if not namespaces:
        return {}
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}
    peer = {"namespaceSelector": {"matchExpressions": [named]}, "podSelector": _PODS}
    return {"ingress": [{"from": [peer], "ports": ports}]}
