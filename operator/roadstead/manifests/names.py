"""Names, labels and owner references of the objects of a ModelServe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from roadstead.api import group, modelserve
from roadstead.api.modelserve import ModelServe

LABEL_MODEL_UUID = f"{group.GROUP}/model-uuid"
ANNOTATION_PODS_DIGEST = f"{group.GROUP}/pods-digest"
ANNOTATION_EXPIRES = f"{group.GROUP}/expires-at"
ANNOTATION_MADE_FOR = f"{group.GROUP}/made-for"
ANNOTATION_KEY_DIGEST = f"{group.GROUP}/key-digest"
ANNOTATION_TRUST = f"{group.GROUP}/trust-digest"

SERVER = "llama-server"
FETCH = "fetch"
KEY = "key"
API_KEY = "api-key"
OPERATOR_PODS = {group.LABEL_NAME: "roadstead", group.LABEL_COMPONENT: "operator"}
"""Labels of the operator's pods in the chart, whatever the release is called."""
GATEWAY_PODS = {group.LABEL_NAME: "roadstead", group.LABEL_COMPONENT: "gateway"}
"""Labels of the pods of the chart's own gateway."""
_LABEL_LIMIT = 63
# With room for `-fetch` and for suffixes of future children, within one DNS label.
_CHILD_LIMIT = 52
_HASH_LENGTH = 8
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def child_name(name: str) -> str:
    """A name for a ModelServe's children: a DNS label that begins with a letter (RFC 1035).

    A ModelServe may be called `3.b` or have a name of 253 characters, a Service may not. Such a
    name is truncated and cleaned, and gets a hash of the whole name, which keeps it unique.
    """
    if len(name) <= _CHILD_LIMIT and _DNS_1035.fullmatch(name):
        return name
    return _shortened(
        "m-" if not name[:1].isalpha() else "", re.sub(r"[^a-z0-9-]", "-", name), name
    )


def fetch_secret_name(serve: ModelServe) -> str:
    """The Secret with the presigned URL that the init container reads."""
    return f"{child_name(serve.meta.name)}-{FETCH}"


def key_secret_name(serve: ModelServe) -> str:
    """The Secret with the server's API key, under API_KEY."""
    return f"{child_name(serve.meta.name)}-{KEY}"


def pull_secret_name(child: str, source: str) -> str:
    """The server's copy of the image pull Secret `source`; `child` is the Deployment's name."""
    return f"{child}-pull-{source}"


def secret_names_of(child: str, pulls: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of the Secrets, copies of `pulls` included, from the name of the Deployment."""
    copies = (pull_secret_name(child, source) for source in pulls)
    return f"{child}-{FETCH}", f"{child}-{KEY}", *copies


def label_value(name: str) -> str:
    """`name` if it fits into a label's 63 characters, else truncated, with a hash."""
    return name if len(name) <= _LABEL_LIMIT else _shortened("", name, name)


def _shortened(prefix: str, cleaned: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH_LENGTH]
    kept = (prefix + cleaned)[: _CHILD_LIMIT - _HASH_LENGTH - 1].strip("-.")
    return f"{kept}-{digest}"


def labels(serve: ModelServe, model_uuid: str = "") -> dict[str, str]:
    """The labels of every child; with the model's UUID if a child depends on the model."""
    found = {
        group.LABEL_NAME: SERVER,
        group.LABEL_INSTANCE: label_value(serve.meta.name),
        group.LABEL_MANAGED_BY: group.FIELD_MANAGER,
        group.LABEL_SERVER_UUID: serve.server_id,
    }
    return {**found, LABEL_MODEL_UUID: model_uuid} if model_uuid else found


def selector(serve: ModelServe) -> dict[str, str]:
    """The selector of the pods: only the server ID, since a Deployment's selector is immutable."""
    return {group.LABEL_SERVER_UUID: serve.server_id}


def selector_text(serve: ModelServe) -> str:
    """The selector in the form of `status.selector`, for the scale subresource."""
    return ",".join(f"{key}={value}" for key, value in selector(serve).items())


def owner_reference(serve: ModelServe) -> dict[str, object]:
    """The owner reference of a child, which is deleted with the ModelServe."""
    return {
        "apiVersion": group.API_VERSION,
        "kind": modelserve.KIND,
        "name": serve.meta.name,
        "uid": serve.meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
