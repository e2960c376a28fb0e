"""The console's route."""

import re

from roadstead.manifests.console import console_route
from roadstead.manifests.rendering import Manifest
from tests.unit.manifests.test_gateway import UUID, objects, routing

SERVICE = {"metadata": {"name": "roadstead-console", "namespace": "roadstead-system", "uid": "u"}}


def rules() -> list[Manifest]:
    found: list[Manifest] = console_route(SERVICE, routing())["spec"]["routes"]
    return found


def test_pages_are_below_every_servers_route() -> None:
    pages = rules()[0]
    assert pages["match"] == "Host(`models.example.com`)"
    assert pages["priority"] == 1
    servers = next(each for each in objects() if each["kind"] == "IngressRoute")
    assert "priority" not in servers["spec"]["routes"][0]


def test_only_a_servers_own_address_as_a_browser_asks_for_it_is_above() -> None:
    match = rules()[1]["match"]
    path = re.search("PathRegexp\\(`(.*?)`\\)", match)
    assert path is not None
    assert [bool(re.search(path[1], text)) for text in (f"/{UUID}", f"/{UUID}/")] == [True, True]
    assert not any(
        re.search(path[1], text) for text in (f"/{UUID}/v1", f"/x/{UUID}", f"/{UUID}x", "/")
    )
    assert "Method(`GET`)" in match
    assert "HeaderRegexp(`Accept`, `text/html`)" in match


def test_route_goes_with_the_service_and_has_the_label_that_the_gateway_reads() -> None:
    meta = console_route(SERVICE, routing())["metadata"]
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "roadstead"
    assert [each["uid"] for each in meta["ownerReferences"]] == ["u"]


def test_gateway_api_gets_a_prefix_that_is_shorter_than_every_servers() -> None:
    route = console_route(SERVICE, routing("gateway-api"))
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateway", "models")
