"""Converts requests of pages to objects, and API errors to messages (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from roadstead.api.group import ANNOTATION_TOKEN, API_VERSION
from roadstead.api.modelserve import KIND
from roadstead.api.object_names import NAME_FORM, NAMESPACE_FORM, is_name, is_namespace
from roadstead.errors import KubeConflict, KubeError, KubeNotFound, KubeRejected
from roadstead.logs import redacted

Object = dict[str, Any]

_DENIED: Final = "denied the request: "
_TEXTS: Final = ("name", "namespace", "modelName", "contract")
_PARTS: Final = ("runtimeParams", "resources")


class BadRequest(Exception):
    """A request is malformed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request failed, for users; `status` is the HTTP status."""

    status: int
    code: str
    message: str


def build_modelserve(given: object) -> Object:
    """Return the ModelServe of a form, without a token; BadRequest if the form is malformed.

    Names must be valid. The API server's schema and admission check the other fields.
    """
    if not isinstance(given, Mapping):
        raise BadRequest("expected a JSON object")
    texts = {name: given.get(name, "") for name in _TEXTS}
    if not all(isinstance(value, str) for value in texts.values()):
        raise BadRequest(f"expected strings for {', '.join(_TEXTS)}")
    for name in ("name", "namespace", "modelName"):
        if not texts[name]:
            raise BadRequest(f"{_label(name)} is missing")
    _check_names(texts)
    spec: Object = {"modelName": texts["modelName"]}
    if texts["contract"]:
        spec["contract"] = texts["contract"]
    if "replicas" in given:
        spec["replicas"] = given["replicas"]
    spec.update({name: given[name] for name in _PARTS if given.get(name)})
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": texts["name"], "namespace": texts["namespace"]},
        "spec": spec,
    }


def _check_names(texts: Mapping[str, str]) -> None:
    """Raise BadRequest for invalid names; empty ones are allowed."""
    for name, text in texts.items():
        form, fits = (NAME_FORM, is_name)
        if name == "namespace":
            form, fits = NAMESPACE_FORM, is_namespace
        if text and not fits(text):
            raise BadRequest(f"{_label(name)} is {redacted(text)[:64]!r}: expected {form}")


def with_token(manifest: Object, token: str) -> Object:
    """Return the manifest with the user's token in its annotation."""
    meta = {**manifest["metadata"], "annotations": {ANNOTATION_TOKEN: token}}
    return {**manifest, "metadata": meta}


def scale_patch(given: object, *, uid: str, token: str) -> Object:
    """Return the merge patch that scales the server of this UID; BadRequest without a number."""
    replicas = given.get("replicas") if isinstance(given, Mapping) else None
    if type(replicas) is not int:
        raise BadRequest("expected a whole number for replicas")
    return {
        "metadata": {"uid": uid, "annotations": {ANNOTATION_TOKEN: token}},
        "spec": {"replicas": replicas},
    }


def refusal(error: KubeError) -> Refusal:
    """Convert an error of the API server, or a denial of the webhooks, to a message."""
    text = redacted(str(error))
    _, denied, denial = text.partition(_DENIED)
    if denied:
        code, _, message = denial.partition(": ")
        known = code.isalnum()
        return Refusal(
            status=403, code=code if known else "Denied", message=message if known else denial
        )
    detail = text.partition(f": {error.status}: ")[2] or text
    if "system:serviceaccount:" in detail:
        message = "The console itself may not do this: an administrator must grant it the right."
        return Refusal(status=502, code="ConsoleForbidden", message=message)
    if "metadata.uid" in detail:
        message = "Another server has this name now. Reload the list of servers."
        return Refusal(status=409, code="Conflict", message=message)
    if isinstance(error, KubeConflict):
        return Refusal(status=409, code="Conflict", message=detail)
    if isinstance(error, KubeNotFound):
        return Refusal(status=404, code="NotFound", message=detail)
    if isinstance(error, KubeRejected):
        return Refusal(status=422, code="Invalid", message=detail)
    message = "The Kubernetes API does not answer; retry."
    return Refusal(status=503, code="Unavailable", message=message)


def _label(name: str) -> str:
    return {"name": "the server's name", "modelName": "the model"}.get(name, f"the {name}")
