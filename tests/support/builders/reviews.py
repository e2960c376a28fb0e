"""Builders of admission reviews as the API server sends them, and of their facts."""

from __future__ import annotations

import datetime
import json
from typing import Any, Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.policy.contract.contract_choice import Offer
from roadstead.tokens.claims import Claims, Remark
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.review import AdmissionRequest, parse

Raw = dict[str, Any]

NOW: Final = datetime.datetime(2027, 1, 15, 8, 0, tzinfo=datetime.UTC)
OPERATOR: Final = "system:serviceaccount:roadstead-system:roadstead-operator"
RULES: Final = Rules(admin_groups=frozenset({"roadstead-admins"}), operator=OPERATOR)
API_VERSION: Final = "model.example.com/v1alpha1"
VERSION: Final = {"group": "model.example.com", "version": "v1alpha1"}
SCALE: Final = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
PLURALS: Final = {
    "Model": "models",
    "ModelServe": "modelserves",
    "ResourceContract": "resourcecontracts",
}
SPECS: Final[dict[str, Raw]] = {
    "Model": {"source": {"stored": {}}},
    "ModelServe": {"modelName": "gemma", "replicas": 1, "contract": "demo"},
    "ResourceContract": {
        "namespaces": {"names": ["demo"]},
        "authorization": {"groups": ["demo-users"]},
        "models": ["*"],
    },
}


def thing(kind: str = "ModelServe", *, spec: Any = None, **meta: Any) -> Raw:
    """An object as the API server stores it."""
    namespace = {"namespace": "demo"} if kind == "ModelServe" else {}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "one", "uid": "u-1", **namespace, **meta},
        "spec": SPECS[kind] if spec is None else spec,
    }


def review(
    operation: str = "CREATE",
    new: Raw | None = None,
    old: Raw | None = None,
    *,
    kind: str = "ModelServe",
    **changes: Any,
) -> Raw:
    """A complete AdmissionReview; `changes` are fields of its request."""
    meta = (new or old or thing(kind))["metadata"]
    scale = changes.get("subResource") == "scale"
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "kind": SCALE if scale else {**VERSION, "kind": kind},
            "resource": {**VERSION, "resource": PLURALS[kind]},
            "operation": operation,
            "namespace": meta.get("namespace", ""),
            "name": meta.get("name", ""),
            "userInfo": {"username": "kubernetes-admin"},
            "object": new,
            "oldObject": old,
            "dryRun": False,
            **changes,
        },
    }


def request(*arguments: Any, **changes: Any) -> AdmissionRequest:
    """The request of such a review, parsed."""
    return parse(json.dumps(review(*arguments, **changes)).encode())


def claims(*groups: str, remarks: tuple[Remark, ...] = ()) -> Claims:
    """Claims of a verified token, of group `demo-users` by default."""
    return Claims(
        subject="alice",
        issuer="roadstead-dev",
        audience=("roadstead",),
        groups=frozenset(groups or ("demo-users",)),
        scopes=frozenset(),
        token_id="",
        issued_at=int(NOW.timestamp()),
        expires_at=int(NOW.timestamp()) + 600,
        remarks=remarks,
    )


def receipt(
    asked: AdmissionRequest, *groups: str, contract: str = "demo", **changes: Any
) -> Receipt:
    """A verified receipt for the request's object."""
    values = {
        "subject": "alice",
        "issuer": "roadstead-dev",
        "groups": frozenset(groups or ("demo-users",)),
        "scopes": frozenset[str](),
        "contract": contract,
        "binding": reviewed_objects.binding(asked, asked.object or asked.old),
        "issued_at": int(NOW.timestamp()),
        "key_id": "k",
    }
    return Receipt(**{**values, **changes})


def offer(**spec: Any) -> Offer:
    """A contract named `demo` without usage."""
    raw = thing("ResourceContract", spec={**SPECS["ResourceContract"], **spec}, name="demo")
    return Offer(contract=ResourceContract.parse(raw))


def facts(**known: Any) -> Facts:
    """Facts with contract `demo` and otherwise unknown."""
    return Facts(**{"now": NOW, "offers": (offer(),), **known})
