"""Objects with a user's token, as the webhooks expect them."""

from __future__ import annotations

import datetime
import json
from typing import Any

import jwt
from kubernetes.aio import client

from tests.support.builders.objects import Raw, make_contract
from tests.support.webhooks.webhook_process import AUDIENCE, DEV_ISSUER, Folder

TOKEN = "model.example.com/auth-token"
RECEIPT = "model.example.com/receipt"


def contract_for(namespace: str, *, name: str = "", **spec: Any) -> Raw:
    """A contract for group `demo-users`."""
    return make_contract(name=name, **{"namespaces": {"names": [namespace]}, **spec})


def with_token(body: Raw, token: str) -> Raw:
    """The object with the token in its annotation."""
    return with_annotations(body, {TOKEN: token})


def with_annotations(body: Raw, annotations: dict[str, str]) -> Raw:
    """The object with more annotations."""
    meta = body["metadata"]
    kept = {**(meta.get("annotations") or {}), **annotations}
    return {**body, "metadata": {**meta, "annotations": kept}}


def dev_token(folder: Folder, subject: str = "alice", *groups: str, **claims: Any) -> str:
    """A token of `DEV_ISSUER` for `groups`, or for `demo-users`, valid for ten minutes."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    values = {
        "iss": DEV_ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "groups": list(groups) or ["demo-users"],
        "iat": now,
        "exp": now + 600,
        **claims,
    }
    kept = {key: value for key, value in values.items() if value is not None}
    return jwt.encode(kept, folder.secret, algorithm="HS256")


def message(error: client.ApiException) -> str:
    """The API server's message."""
    return str(json.loads(error.body or "{}")["message"])
