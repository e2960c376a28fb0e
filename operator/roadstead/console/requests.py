"""What people ask for on a page, as objects of the cluster, and why not in words (pure)."""

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
    """What a page sent is not of the shape that pages send."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something was not done, for people; `status` is that of HTTP."""

    status: int
    code: str
    message: str


def wanted_serve(given: object) -> Object:
    """The ModelServe that a form describes, without a token; BadRequest for what is no form.

    Names must be valid names of objects. Other fields are not checked here: the API server's schema
    and admission do that.
    """
    if not isinstance(given, Mapping):
        raise BadRequest("an object is needed")
    texts = {name: given.get(name, "") for name in _TEXTS}
    if not all(isinstance(value, str) for value in texts.values()):
        raise BadRequest(f"{', '.join(_TEXTS)} are texts")
    for name in ("name", "namespace", "modelName"):
        if not texts[name]:
            raise BadRequest(f"{_called(name)} is missing")
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
    """BadRequest for what no object can be called; what is left out is none."""
    for name, text in texts.items():
        form, fits = (NAME_FORM, is_name)
        if name == "namespace":
            form, fits = NAMESPACE_FORM, is_namespace
        if text and not fits(text):
            raise BadRequest(f"{_called(name)} is {redacted(text)[:64]!r}: expected {form}")


def with_token(manifest: Object, token: str) -> Object:
    """The same, asked for by the token's holder."""
    meta = {**manifest["metadata"], "annotations": {ANNOTATION_TOKEN: token}}
    return {**manifest, "metadata": meta}


def scaled(given: object, *, uid: str, token: str) -> Object:
    """The merge patch that scales the server of this UID; BadRequest without a number."""
    replicas = given.get("replicas") if isinstance(given, Mapping) else None
    if type(replicas) is not int:
        raise BadRequest("replicas is a whole number")
    return {
        "metadata": {"uid": uid, "annotations": {ANNOTATION_TOKEN: token}},
        "spec": {"replicas": replicas},
    }


def refusal(error: KubeError) -> Refusal:
    """The API server's words, or the webhooks' where it is they who deny."""
    text = redacted(str(error))
    _, denied, words = text.partition(_DENIED)
    if denied:
        code, _, message = words.partition(": ")
        known = code.isalnum()
        return Refusal(
            status=403, code=code if known else "Denied", message=message if known else words
        )
    said = text.partition(f": {error.status}: ")[2] or text
    if "system:serviceaccount:" in said:
        message = "The console itself may not do this: an administrator has to give it the right."
        return Refusal(status=502, code="ConsoleForbidden", message=message)
    if "metadata.uid" in said:
        message = "Another server has this name by now; go back to the servers."
        return Refusal(status=409, code="Conflict", message=message)
    if isinstance(error, KubeConflict):
        return Refusal(status=409, code="Conflict", message=said)
    if isinstance(error, KubeNotFound):
        return Refusal(status=404, code="NotFound", message=said)
    if isinstance(error, KubeRejected):
        return Refusal(status=422, code="Invalid", message=said)
    message = "The Kubernetes API does not answer at the moment; try again."
    return Refusal(status=503, code="Unavailable", message=message)


def _called(name: str) -> str:
    return {"name": "the server's name", "modelName": "the model"}.get(name, f"the {name}")
