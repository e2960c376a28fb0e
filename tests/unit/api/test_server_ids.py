"""A server's ID: given, else its UID, and of one server at a time."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.modelserve import ModelServe
from roadstead.api.server_ids import holder, is_server_id, new_server_id
from roadstead.forwardauth.server_index import Servers
from roadstead.kube.resources import MODELSERVES, NAMESPACES

ID = "0d9b3c1e-5a6f-4f0e-8c64-3f6f9f1f2a77"
UID = "7f1c2f4e-21ab-4a8e-9f4d-9e9d3c0b7a11"


def raw(name: str = "gemma", *, given: str = ID, uid: str = UID, **meta: Any) -> dict[str, Any]:
    annotations = {"model.example.com/server-id": given} if given else {}
    names = {"name": name, "namespace": "demo", "uid": uid, "resourceVersion": "5"}
    return {"metadata": {**names, "annotations": annotations, **meta}, "spec": {}}


def serve(name: str = "gemma", **given: Any) -> ModelServe:
    return ModelServe.parse(raw(name, **given))


def test_new_id_has_the_form_of_an_id() -> None:
    assert is_server_id(new_server_id())


def test_server_from_before_server_ids_has_its_uid() -> None:
    assert serve(given="").server_id == UID


@pytest.mark.parametrize("given", [ID.upper(), "..", f"{ID}/x", "1"])
def test_text_of_another_form_is_no_id(given: str) -> None:
    assert serve(given=given).server_id == UID


def test_id_belongs_to_the_admitted_server_then_to_its_uid_then_to_the_oldest() -> None:
    first = serve("first", uid="a", creationTimestamp="2026-01-01T00:00:00Z")
    later = serve("later", uid="b", creationTimestamp="2026-01-02T00:00:00Z")
    same = serve("same", uid=ID, given="", creationTimestamp="2026-01-03T00:00:00Z")
    assert holder([later, first], ID) is first
    assert holder([later, first, same], ID) is same
    assert holder([first, same, later], ID, admitted=lambda each: each is later) is later


def test_forward_auth_finds_a_server_by_its_id_alone() -> None:
    servers = Servers()
    servers.put(NAMESPACES, {"metadata": {"name": "demo", "uid": "n", "resourceVersion": "1"}})
    servers.put(MODELSERVES, raw())
    found = servers.server(ID)
    assert found is not None
    assert found.title == "demo/gemma"
    assert servers.server(UID) is None


def test_forward_auth_forgets_a_deleted_server() -> None:
    servers = Servers()
    servers.put(NAMESPACES, {"metadata": {"name": "demo", "uid": "n", "resourceVersion": "1"}})
    servers.put(MODELSERVES, raw())
    servers.deleted(MODELSERVES, raw())
    assert servers.server(ID) is None
    assert servers.deleted_at(ID) == 5
