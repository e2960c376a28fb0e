"""Children of a ModelServe that are changed or orphaned by others."""

import json
from typing import Any

from roadstead.api.group import LABEL_MANAGED_BY
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

KINDS = ("deployment", "service", "serviceaccount", "networkpolicy")
ROUTES = {"ingressroute": "gemma", "middleware": "gemma-auth"}
NAME, COPY = "gemma", "copy"
PATIENCE = 240
"""Seconds: the first server's model is transferred, and some children are not watched."""
SECRETS = (f"{NAME}-fetch", f"{NAME}-key")
GIVEN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
"""Metadata that the API server sets."""


def create_server(serves: Serves) -> None:
    """Create a server and wait for its children."""
    serves.apply(make_serve(NAME))
    wait_until(lambda: all(serves.get(kind, NAME) for kind in KINDS), seconds=PATIENCE)


def is_labelled(serves: Serves, kind: str, name: str = NAME) -> bool:
    """Whether a child has the label of the operator's watches."""
    return LABEL_MANAGED_BY in serves.get(kind, name)["metadata"]["labels"]


def copy_of(child: dict[str, Any]) -> str:
    """A copy with another name, and the same labels and owner."""
    kept = {key: value for key, value in child["metadata"].items() if key not in GIVEN}
    spec = {k: v for k, v in child.get("spec", {}).items() if not k.startswith("clusterIP")}
    body = {**child, "metadata": {**kept, "name": COPY}, "spec": spec}
    return json.dumps({key: value for key, value in body.items() if value and key != "status"})


def test_label_of_a_child_is_restored(serves: Serves) -> None:
    # Two replicas have a PodDisruptionBudget; no pod starts.
    kinds = (*KINDS, "poddisruptionbudget")
    serves.apply(make_serve(NAME, replicas=2, config={"image": "nowhere.example/llama:1"}))
    wait_until(lambda: all(serves.get(kind, NAME) for kind in kinds), seconds=PATIENCE)
    for kind in kinds:
        serves.kubectl("label", kind, NAME, f"{LABEL_MANAGED_BY}-")
    wait_until(lambda: all(is_labelled(serves, kind) for kind in kinds), seconds=PATIENCE)


def test_label_of_a_secret_is_restored_while_a_pod_waits_for_it(serves: Serves) -> None:
    # A minute: Secrets without the label are not watched; the next resync finds them.
    serves.apply(make_serve(NAME, config={"image": "nowhere.example/llama:1"}))
    wait_until(lambda: all(serves.get("secret", name) for name in SECRETS), seconds=PATIENCE)
    for name in SECRETS:
        serves.kubectl("label", "secret", name, f"{LABEL_MANAGED_BY}-")
    wait_until(
        lambda: all(is_labelled(serves, "secret", name) for name in SECRETS),
        seconds=PATIENCE,
        step=1,
    )


def test_copy_of_a_child_is_deleted(serves: Serves) -> None:
    create_server(serves)
    for kind in KINDS:
        serves.kubectl("create", "-f", "-", stdin=copy_of(dict(serves.get(kind, NAME))))
    wait_until(lambda: not any(serves.get(kind, COPY) for kind in KINDS), seconds=PATIENCE)
    assert all(serves.get(kind, NAME) for kind in KINDS)


def test_orphaned_children_of_a_deleted_server_are_deleted(serves: Serves) -> None:
    create_server(serves)
    serves.kubectl("delete", "modelserve", NAME, "--cascade=orphan")
    children = [(kind, NAME) for kind in KINDS] + [("secret", name) for name in SECRETS]
    children += list(ROUTES.items())
    wait_until(lambda: not any(serves.get(kind, name) for kind, name in children), seconds=240)
