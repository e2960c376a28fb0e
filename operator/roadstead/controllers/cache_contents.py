"""The fields of each kind that the operator's watch cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roadstead.api import group
from roadstead.api.raw import Raw, section
from roadstead.controllers.server_pods import LABEL_TEMPLATE
from roadstead.controllers.transfers.transfer_pods import LABEL_OF_JOB, pods_of
from roadstead.kube.field_projection import Keep, Projection
from roadstead.kube.resources import (
    CHILDREN,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    ROUTES,
    Resource,
)
from roadstead.manifests.names import ANNOTATION_PODS_DIGEST, LABEL_MODEL_UUID

_LABELS: Final = frozenset(
    {
        group.LABEL_NAME,
        group.LABEL_INSTANCE,
        group.LABEL_MANAGED_BY,
        group.LABEL_SERVER_UUID,
        LABEL_MODEL_UUID,
    }
)
"""The labels that the operator writes."""
_OURS: Final = Keep(
    parts={"spec": None, "status": None},
    annotations=frozenset(
        {
            group.ANNOTATION_RECEIPT,
            group.ANNOTATION_REQUESTED_BY,
            group.ANNOTATION_RETRY,
            group.ANNOTATION_SERVER_ID,
            group.ANNOTATION_STORED,
        }
    ),
    finalizers=True,
)
_CHILD: Final = Keep(
    annotations=frozenset({group.ANNOTATION_DIGEST, ANNOTATION_PODS_DIGEST}),
    labels=_LABELS,
    owners=True,
)
_POD: Final = Keep(labels=_LABELS | {LABEL_TEMPLATE, LABEL_OF_JOB}, owners=True)
_CONTAINER: Final = ("name", "image", "resources")


def child(raw: Raw) -> dict[str, Any]:
    """A child of a ModelServe with reduced metadata; of any other object, the metadata alone."""
    meta = _CHILD.metadata(raw)
    owners = meta.get("ownerReferences", ())
    owned = any(each.get("apiVersion") == group.API_VERSION for each in owners)
    kept = raw if owned else {name: raw[name] for name in ("apiVersion", "kind") if name in raw}
    return {**kept, "metadata": meta}


def pod(raw: Raw) -> dict[str, Any]:
    """A pod's node, containers and status; its identity alone if it belongs to no server."""
    kept = _POD(raw)
    if not pods_of(kept):
        return kept
    spec = section(raw, "spec")
    chosen = {name: spec[name] for name in ("nodeName", "hostNetwork") if name in spec}
    for name in ("initContainers", "containers"):
        chosen[name] = [_container(each) for each in spec.get(name) or ()]
    return {**kept, "spec": chosen, "status": section(raw, "status")}


def _container(raw: Raw) -> dict[str, Any]:
    return {name: raw[name] for name in _CONTAINER if name in raw}


PROJECTIONS: Final[Mapping[Resource, Projection]] = {
    **dict.fromkeys((MODELS, MODELSERVES, RESOURCECONTRACTS), _OURS),
    NAMESPACES: Keep(labels=None),
    PODS: pod,
    **dict.fromkeys((*CHILDREN, *ROUTES), child),
}
