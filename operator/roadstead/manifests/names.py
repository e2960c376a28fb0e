"""Names, labels and references of what belongs to a ModelServe."""

from __future__ import annotations

import hashlib
import re

from roadstead.api import group, modelserve
from roadstead.api.modelserve import ModelServe

LABEL_MODEL_UUID = f"{group.GROUP}/model-uuid"
ANNOTATION_PODS_DIGEST = f"{group.GROUP}/pods-digest"
ANNOTATION_EXPIRES = f"{group.GROUP}/expires-at"
ANNOTATION_MADE_FOR = f"{group.GROUP}/made-for"
ANNOTATION_KEY_DIGEST = f"{group.GROUP}/key-digest"

SERVER = "llama-server"
FETCH = "fetch"
KEY = "key"
API_KEY = "api-key"
_LABEL_LIMIT = 63
# Leaves room for `-fetch` and for what a later kind of child needs, within one DNS label.
_CHILD_LIMIT = 52
_HASH_LENGTH = 8
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def child_name(name: str) -> str:
    """A name for a ModelServe's children: a DNS label that begins with a letter (RFC 1035).

    A ModelServe may be called `3.b` or have 253 characters, a Service may not. Such a name is cut
    and cleaned, and gets a hash of the whole, so that two of them stay apart.
    """
    if len(name) <= _CHILD_LIMIT and _DNS_1035.fullmatch(name):
        return name
    return _shortened(
        "m-" if not name[:1].isalpha() else "", re.sub(r"[^a-z0-9-]", "-", name), name
    )


def fetch_secret_name(serve: ModelServe) -> str:
    """The Secret that holds the presigned URL that the init container reads."""
    return f"{child_name(serve.meta.name)}-{FETCH}"


def key_secret_name(serve: ModelServe) -> str:
    """The Secret that holds the server's API key, under API_KEY."""
    return f"{child_name(serve.meta.name)}-{KEY}"


def secret_names_of(child: str) -> tuple[str, ...]:
    """The names of both Secrets, by that of the Deployment."""
    return f"{child}-{FETCH}", f"{child}-{KEY}"


def label_value(name: str) -> str:
    """`name` where it fits a label's 63 characters, else cut, with a hash."""
    return name if len(name) <= _LABEL_LIMIT else _shortened("", name, name)


def _shortened(prefix: str, cleaned: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH_LENGTH]
    kept = (prefix + cleaned)[: _CHILD_LIMIT - _HASH_LENGTH - 1].strip("-.")
    return f"{kept}-{digest}"


def labels(serve: ModelServe, model_uuid: str = "") -> dict[str, str]:
    """The labels of every child; with the model's UUID where a child is of one model."""
    found = {
        group.LABEL_NAME: SERVER,
        group.LABEL_INSTANCE: label_value(serve.meta.name),
        group.LABEL_MANAGED_BY: group.FIELD_MANAGER,
        group.LABEL_SERVER_UUID: serve.meta.uid,
    }
    return {**found, LABEL_MODEL_UUID: model_uuid} if model_uuid else found


def selector(serve: ModelServe) -> dict[str, str]:
    """What selects the pods: the UUID alone, since a Deployment's selector can't change."""
    return {group.LABEL_SERVER_UUID: serve.meta.uid}


def selector_text(serve: ModelServe) -> str:
    """The selector as `status.selector` holds it for the scale subresource."""
    return ",".join(f"{key}={value}" for key, value in selector(serve).items())


def owner_reference(serve: ModelServe) -> dict[str, object]:
    """Ties a child's life to the ModelServe's."""
    return {
        "apiVersion": group.API_VERSION,
        "kind": modelserve.KIND,
        "name": serve.meta.name,
        "uid": serve.meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
