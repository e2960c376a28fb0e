"""The index of servers, and the changes that it counts."""

from __future__ import annotations

from roadstead.forwardauth.server_index import Servers
from roadstead.kube.resources import MODELSERVES, NAMESPACES
from tests.unit.forwardauth.questions import OTHER, SERVER, Site


def test_server_is_found_by_its_uuid() -> None:
    served = Site().servers.server(SERVER)
    assert served is not None
    assert served.title == "demo/gemma"


def test_uuid_of_another_object_finds_no_server() -> None:
    servers = Site().servers
    assert [servers.server(uid) for uid in (OTHER, "contract-uid", "ns-uid", "")] == [None] * 4


def test_server_whose_namespace_is_not_known_yet_is_unknown() -> None:
    servers = Site().servers
    servers.remove(NAMESPACES, ("", "demo"))
    assert servers.server(SERVER) is None


def test_server_without_a_contract_has_none() -> None:
    site = Site()
    site.put_server(contract="")
    served = site.servers.server(SERVER)
    assert served is not None
    assert served.contract is None


def test_status_does_not_count_as_a_change() -> None:
    site = Site()
    before = site.servers.changes
    site.put_server(status={"phase": "Ready"})
    site.put_contract(status={"used": {"servers": 3}})
    assert site.servers.changes == before


def test_fields_that_verdicts_use_count_as_a_change() -> None:
    site = Site()
    seen = [site.servers.changes]
    site.put_server(contract="other")
    seen.append(site.servers.changes)
    site.put_server(contract="other", deletionTimestamp="2030-01-01T00:00:00Z")
    seen.append(site.servers.changes)
    site.put_contract(authorization={"groups": ["x"]})
    seen.append(site.servers.changes)
    site.put_namespace(team="a")
    seen.append(site.servers.changes)
    site.servers.remove(MODELSERVES, ("demo", "gemma"))
    seen.append(site.servers.changes)
    assert seen == sorted(set(seen))


def test_object_older_than_the_cached_one_changes_nothing() -> None:
    servers = Servers()
    new = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "5", "labels": {"x": "new"}}}
    old = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "4", "labels": {"x": "old"}}}
    servers.put(NAMESPACES, new)
    before = servers.changes
    servers.put(NAMESPACES, old)
    assert servers.changes == before
