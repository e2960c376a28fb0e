"""Parsed resources with few fields, small enough to read in a test."""

from __future__ import annotations

from typing import Any

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.manifests.platform import Platform
from roadstead.manifests.rendering import Manifest

SIZE = 253_113_024
DIGEST = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def make_platform(**changes: Any) -> Platform:
    values: dict[str, Any] = {
        "operator_image": "roadstead:1",
        "server_image": "llama-server:1",
        "operator_namespace": "roadstead-system",
        **changes,
    }
    return Platform(**values)


def make_model(name: str = "gemma-3-270m", uid: str = "model-uid", **status: Any) -> Model:
    """A stored Model; with `stored=False` its status is empty."""
    full = {
        "sizeBytes": SIZE,
        "sha256": DIGEST,
        "minioEndpoint": "http://roadstead-store:9000",
        "minioBucket": "models",
        "minioPath": f"models/{name}/{uid}.gguf",
        **status,
    }
    return Model.parse(
        {
            "metadata": {"name": name, "uid": uid},
            "spec": {"source": {"stored": {}}},
            "status": full if status.get("stored", True) else {},
        }
    )


def make_serve(name: str = "gemma", uid: str = "serve-uid", **spec: Any) -> ModelServe:
    return ModelServe.parse(
        {
            "metadata": {"name": name, "namespace": "demo", "uid": uid},
            "spec": {"modelName": "gemma-3-270m", "replicas": 1, **spec},
        }
    )


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [item for item in manifests if item["kind"] == kind]
    return found
