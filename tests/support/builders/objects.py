"""Builders of objects that the API server accepts; a test states only values that matter to it."""

import uuid
from collections.abc import Mapping
from typing import Any

Raw = dict[str, Any]

GROUP = "model.example.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
PLURALS = {
    "Model": "models",
    "ModelServe": "modelserves",
    "ResourceContract": "resourcecontracts",
}


def fresh_name(prefix: str) -> str:
    """A unique name, for cluster-scoped objects."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def make_model(*, name: str = "", source: Raw | None = None, **spec: Any) -> Raw:
    """A Model from the Quant service, or from `source`."""
    quant: Raw = {"quant": {"modelId": "gemma-3-270m"}}
    content = {"source": quant if source is None else source, **spec}
    return _object("Model", name or fresh_name("model"), content)


def make_modelserve(namespace: str, *, name: str = "", **spec: Any) -> Raw:
    """A ModelServe of `gemma-3-270m`, or of the model or UUID in the spec."""
    content = spec if {"modelName", "modelUuid"} & spec.keys() else {"modelName": "gemma-3-270m"}
    body = _object("ModelServe", name or fresh_name("serve"), {**content, **spec})
    body["metadata"]["namespace"] = namespace
    return body


def make_contract(*, name: str = "", **spec: Any) -> Raw:
    """A ResourceContract that allows group `demo-users` to run every model in `demo`."""
    content = {
        "namespaces": {"names": ["demo"]},
        "authorization": {"groups": ["demo-users"]},
        "models": ["*"],
        **spec,
    }
    return _object("ResourceContract", name or fresh_name("contract"), content)


def make_condition(type_: str, status: str, reason: str, message: str = "") -> Raw:
    """A condition as in a status."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> Raw:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }
