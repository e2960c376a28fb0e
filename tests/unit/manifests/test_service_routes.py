"""The routes of the console and of the embedded gateway."""

import re

from roadstead.manifests.gateway import route_objects
from roadstead.manifests.rendering import Manifest
from roadstead.manifests.service_routes import console_route, ping_route
from tests.support.builders.resources import make_serve
from tests.unit.manifests.test_gateway import ROUTE_KINDS, UUID, objects, routing

SERVICE = {"metadata": {"name": "roadstead-console", "namespace": "roadstead-system", "uid": "u"}}


def rules() -> list[Manifest]:
    found: list[Manifest] = console_route(SERVICE, routing())["spec"]["routes"]
    return found


def test_pages_are_below_every_servers_route() -> None:
    pages = rules()[0]
    assert pages["match"] == "Host(`models.example.com`)"
    assert pages["priority"] == 1
    servers = next(each for each in objects() if each["kind"] == "IngressRoute")
    assert all(rule["priority"] > 1 for rule in servers["spec"]["routes"])


def test_only_a_browsers_request_of_a_servers_address_has_priority() -> None:
    match = rules()[1]["match"]
    path = re.search("PathRegexp\\(`(.*?)`\\)", match)
    assert path is not None
    assert [bool(re.search(path[1], text)) for text in (f"/{UUID}", f"/{UUID}/")] == [True, True]
    assert not any(
        re.search(path[1], text) for text in (f"/{UUID}/v1", f"/x/{UUID}", f"/{UUID}x", "/")
    )
    assert "Method(`GET`)" in match
    assert "HeaderRegexp(`Accept`, `text/html`)" in match


def test_route_is_owned_by_the_service_and_has_the_gateways_label() -> None:
    meta = console_route(SERVICE, routing())["metadata"]
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "roadstead"
    assert [each["uid"] for each in meta["ownerReferences"]] == ["u"]


def test_console_with_its_own_host_routes_no_server_address() -> None:
    apart = routing(console_url="https://console.example.com:8443")
    (pages,) = console_route(SERVICE, apart)["spec"]["routes"]
    assert pages["match"] == "Host(`console.example.com`)"
    route = console_route(
        SERVICE, routing("gateway-api", console_url="https://console.example.com")
    )
    assert route["spec"]["hostnames"] == ["console.example.com"]


def test_servers_keep_their_host_if_the_console_has_its_own() -> None:
    for kind in ROUTE_KINDS:
        apart = routing(kind, console_url="https://console.example.com")
        for item in route_objects(make_serve(uid=UUID), apart, 80):
            assert "console.example.com" not in str(item)


def test_gateway_api_gets_a_prefix_that_is_shorter_than_every_servers() -> None:
    route = console_route(SERVICE, routing("gateway-api"))
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateway", "models")


def test_only_the_internal_entry_point_serves_the_readiness_of_the_gateway() -> None:
    route = ping_route({"metadata": {**SERVICE["metadata"], "name": "roadstead-gateway"}})
    assert route["spec"]["entryPoints"] == ["internal"]
    (rule,) = route["spec"]["routes"]
    assert rule["services"] == [{"kind": "TraefikService", "name": "ping@internal"}]
    assert route["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "roadstead"
