"""The copy of an image pull Secret for one server."""

from __future__ import annotations

from typing import Final

from roadstead.api.modelserve import ModelServe
from roadstead.manifests import names
from roadstead.manifests.digest import with_digest
from roadstead.manifests.rendering import Manifest

TYPE: Final = "kubernetes.io/dockerconfigjson"
CONTENT: Final = ".dockerconfigjson"
"""The key in a Secret of TYPE."""


def pull_secret(serve: ModelServe, source: str, content: str) -> Manifest:
    """The copy of Secret `source`, owned by the ModelServe.

    The digest excludes the content: a password may be guessed from a digest.
    """
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.pull_secret_name(names.child_name(serve.meta.name), source),
            "namespace": serve.meta.namespace,
            "labels": names.labels(serve),
            "ownerReferences": [names.owner_reference(serve)],
        },
        "type": TYPE,
        "stringData": {CONTENT: content},
    }
    return with_digest(manifest, without=("stringData",))
