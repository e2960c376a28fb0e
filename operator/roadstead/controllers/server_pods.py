"""The pods of a server: those of its Deployment's ReplicaSets, independent of other labels.

ReplicaSets are not watched, since they would double the cache. Their names suffice: the Deployment
controller builds them from the Deployment's name and the hash of the pod template.
"""

from __future__ import annotations

from typing import Final

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.manifests.names import child_name

LABEL_TEMPLATE: Final = "pod-template-hash"
"""The label that the Deployment controller sets on ReplicaSets and their pods."""


def pods_key(namespace: str, name: str, uuid: str) -> str:
    """The index key of the pods of a ModelServe; `uuid` is its server ID."""
    return f"{namespace}/{child_name(name)}/{uuid}"


def pods_key_of(serve: ModelServe) -> str:
    """The index key of the pods of this ModelServe."""
    return pods_key(serve.meta.namespace, serve.meta.name, serve.server_id)


def key_of_pod(pod: Raw) -> str:
    """The index key of a pod by its label and controller; empty if it belongs to no server."""
    meta = section(pod, "metadata")
    labels = section(meta, "labels")
    uuid, deployment = labels.get(LABEL_SERVER_UUID), _deployment(meta, labels)
    return f"{meta.get('namespace', '')}/{deployment}/{uuid}" if uuid and deployment else ""


def _deployment(meta: Raw, labels: Raw) -> str:
    """The Deployment whose ReplicaSet controls a pod; empty for another controller."""
    suffix = f"-{labels.get(LABEL_TEMPLATE, '')}"
    owners = meta.get("ownerReferences") or ()
    owner: Raw = next((each for each in owners if each.get("controller")), {})
    kind = (owner.get("apiVersion"), owner.get("kind"))
    name = str(owner.get("name", ""))
    if kind != ("apps/v1", "ReplicaSet") or len(suffix) < 2 or not name.endswith(suffix):
        return ""
    return name.removesuffix(suffix)
