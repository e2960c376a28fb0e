"""Interprets the API server's refusals and watch events. Pure."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from roadstead.errors import (
    KubeConflict,
    KubeError,
    KubeGone,
    KubeNotFound,
    KubeRejected,
    KubeUnavailable,
)

_VERSION_AHEAD: Final = "Too large resource version"
"""The message for a version that the API server has not reached, as after a restore of etcd."""
_KIND_NOT_LOADED: Final = "cannot find RESTMapping"
"""The API server reads new definitions for its check of owners every 30 s: not for the first child
of a ModelServe that is applied right after the chart was installed."""
_OBJECT_EVENTS: Final = ("ADDED", "MODIFIED", "DELETED")


def refusal(method: str, path: str, status: int, message: str) -> KubeError:
    """The error of a response with a status of 400 or more."""
    text = f"{method} {path}: {status}: {message}"
    if status == 404:
        return KubeNotFound(text, status=status)
    if status == 409:
        return KubeConflict(text, status=status)
    if status == 410 or (status == 504 and _VERSION_AHEAD in message):
        return KubeGone(text, status=status)
    permanent = status in (400, 401, 403, 405, 413, 415, 422)
    if permanent and not (status == 403 and _KIND_NOT_LOADED in message):
        return KubeRejected(text, status=status)
    return KubeUnavailable(text, status=status)


def refusal_message(data: bytes) -> str:
    """The message of a metav1.Status, or the start of the body."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:200].decode(errors="replace")


def watch_event(path: str, line: bytes) -> dict[str, Any]:
    """One event of a watch, with its `type` and `object`.

    Raises the error of an ERROR event, and KubeUnavailable for a line that is no event.
    """
    try:
        event = cast(dict[str, Any], json.loads(line))
        if event["type"] == "ERROR":
            status = event["object"]
            code = int(status.get("code", 500))
            raise refusal("WATCH", path, code, str(status.get("message", "")))
        meta = event["object"].get("metadata", {})
        if event["type"] in _OBJECT_EVENTS and not isinstance(meta["name"], str):
            raise TypeError("metadata.name must be a string")
    except (ValueError, KeyError, TypeError, AttributeError):
        text = line[:200].decode(errors="replace")
        raise KubeUnavailable(f"WATCH {path}: invalid event {text!r}") from None
    return event
