"""The gateway's objects of a server, which decide who may call it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.modelserve import ModelServe
from roadstead.manifests.gateway import Kind, Routing, key_secret, route_objects
from roadstead.manifests.gateway_headers import REQUEST_HEADERS
from roadstead.manifests.rendering import Manifest
from tests.support.builders.resources import make_serve, of_kind

UUID = "0b9c7f5e-6a0e-4a52-8f0e-2d5f3a1c9e77"
ROUTE_KINDS: dict[Kind, str] = {"traefik": "IngressRoute", "gateway-api": "HTTPRoute"}
ORDER = ["gemma-auth", "gemma-limit", "gemma-body", "gemma-headers", "gemma-strip"]
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def routing(kind: Kind = "traefik", **changes: Any) -> Routing:
    values: dict[str, Any] = {
        "kind": kind,
        "url": "https://models.example.com:8443",
        "forward_auth": "http://roadstead-forward-auth.roadstead-system.svc",
        "entry_points": ("websecure",),
        "parent": ("gateway", "models"),
        **changes,
    }
    return Routing(**values)


def objects(kind: Kind = "traefik", serve: ModelServe | None = None) -> list[Manifest]:
    return route_objects(serve or make_serve(uid=UUID), routing(kind), 80)


def middleware(name: str) -> Manifest:
    (found,) = [item for item in objects() if item["metadata"]["name"] == name]
    spec: Manifest = found["spec"]
    return spec


def test_route_is_applied_after_its_middlewares() -> None:
    for kind, route in ROUTE_KINDS.items():
        *middlewares, last = [item["kind"] for item in objects(kind)]
        assert set(middlewares) == {"Middleware"}
        assert last == route


def rules(found: list[Manifest]) -> list[Manifest]:
    rules: list[Manifest] = of_kind(found, "IngressRoute")["spec"]["routes"]
    return rules


def test_auth_comes_first_in_each_rule_of_an_ingressroute() -> None:
    before, after = ["gemma-auth", "gemma-limit"], ["gemma-headers", "gemma-strip"]
    assert [[item["name"] for item in rule["middlewares"]] for rule in rules(objects())] == [
        [*before, *after],
        [*before, "gemma-short", *after],
        ORDER,
    ]


def is_short(*lengths: str) -> bool:
    """Whether the second rule matches a request with these headers Content-Length."""
    some, none = re.findall(
        r"HeaderRegexp\(`Content-Length`, `(.*?)`\)", rules(objects())[1]["match"]
    )
    return any(re.search(some, each) for each in lengths) and not any(
        re.search(none, each) for each in lengths
    )


def test_only_a_request_that_declares_to_be_short_is_read_without_a_limit() -> None:
    assert all(is_short(each) for each in ("0", "70", "99999"))
    assert not any(is_short(each) for each in ("100000", "9" * 19, "-1", "+5", "1e9", "5, 5", ""))
    assert not is_short()
    assert not is_short("5", "100000")
    assert not is_short("100000", "5")


def test_rules_of_a_server_differ_in_how_a_body_is_read_alone() -> None:
    found = rules(objects())
    assert [rule["priority"] for rule in found] == sorted(
        (rule["priority"] for rule in found), reverse=True
    )
    assert all(rule["match"].startswith(found[-1]["match"]) for rule in found)
    assert len({str(rule["services"]) for rule in found}) == 1


def test_auth_comes_first_in_an_httproute() -> None:
    (rule,) = of_kind(objects("gateway-api"), "HTTPRoute")["spec"]["rules"]
    assert [item["extensionRef"]["name"] for item in rule["filters"]] == ORDER


APP = "https://app.example.com"


def cors_objects(kind: Kind) -> list[Manifest]:
    return route_objects(make_serve(uid=UUID), routing(kind, cors_origins=(APP,)), 80)


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_preflights_are_answered_before_auth_where_origins_are_listed(kind: Kind) -> None:
    route = of_kind(cors_objects(kind), ROUTE_KINDS[kind])["spec"]
    if kind == "traefik":
        found = [item["name"] for item in route["routes"][-1]["middlewares"]]
        assert {rule["middlewares"][0]["name"] for rule in route["routes"]} == {"gemma-cors"}
    else:
        found = [item["extensionRef"]["name"] for item in route["rules"][0]["filters"]]
    assert found == ["gemma-cors", *ORDER]


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_listed_origins_and_never_cookies_are_allowed(kind: Kind) -> None:
    (cors,) = [each for each in cors_objects(kind) if each["metadata"]["name"] == "gemma-cors"]
    headers = cors["spec"]["headers"]
    assert headers["accessControlAllowOriginList"] == [APP]
    assert "accessControlAllowCredentials" not in headers
    assert {"Authorization", "*"} <= set(headers["accessControlAllowHeaders"])


def test_every_route_object_is_owned_and_carries_the_label_that_traefik_selects_by() -> None:
    for kind in ROUTE_KINDS:
        for item in objects(kind):
            assert item["metadata"]["ownerReferences"][0]["uid"] == UUID
            assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "roadstead"


def test_auth_address_contains_the_server() -> None:
    address = middleware("gemma-auth")["forwardAuth"]["address"]
    assert address == f"http://roadstead-forward-auth.roadstead-system.svc/verify/{UUID}"


def test_forwarded_headers_of_callers_are_not_trusted() -> None:
    assert middleware("gemma-auth")["forwardAuth"]["trustForwardHeader"] is False


def test_credentials_of_callers_are_not_forwarded_to_servers() -> None:
    taken = set(middleware("gemma-auth")["forwardAuth"]["authResponseHeaders"])
    assert taken >= {"Authorization", "X-Api-Key", "Cookie", "X-Auth-Subject", "X-Auth-Groups"}


def test_auth_gets_only_the_headers_that_it_needs() -> None:
    given_on = middleware("gemma-auth")["forwardAuth"]["authRequestHeaders"]
    credentials = ["Authorization", "X-Api-Key", "Cookie"]
    assert given_on == [*credentials, "Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest"]


@pytest.mark.parametrize("name", ["Set-Cookie", "Service-Worker-Allowed", "Clear-Site-Data"])
def test_headers_that_browsers_store_for_the_host_are_removed_from_responses(name: str) -> None:
    assert middleware("gemma-headers")["headers"]["customResponseHeaders"][name] == ""


def test_responses_shown_as_pages_run_and_load_nothing() -> None:
    set_ = middleware("gemma-headers")["headers"]["customResponseHeaders"]
    assert set_["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert set_["X-Content-Type-Options"] == "nosniff"
    assert set_["Cross-Origin-Resource-Policy"] == "same-origin"


def removed_headers() -> re.Pattern[str]:
    """A matching header is removed from requests, unless forward auth sets it."""
    return re.compile(middleware("gemma-auth")["forwardAuth"]["authResponseHeadersRegex"])


def test_other_spellings_of_identity_headers_are_removed() -> None:
    pattern = removed_headers()
    for name in (
        "X_auth_subject",
        "X.Auth.Groups",
        "X-Forwarded-User",
        "X-Forwarded-Access-Token",
        "X_Forwarded_Email",
        "Remote-User",
        "X-Remote-Groups",
        "X-WebAuth-User",
        "X-Auth-Request-Email",
        "Proxy-Authorization",
        "X-Api-Key",
    ):
        assert pattern.search(name), name


def test_headers_with_a_meaning_for_llama_server_are_removed() -> None:
    for name in ("X-Conversation-Id", "X-conversation_id", "Origin", "Sec-Fetch-Site", "Upgrade"):
        assert removed_headers().search(name), name


def test_allowed_request_headers_are_kept() -> None:
    for name in REQUEST_HEADERS:
        assert not removed_headers().search(name), name
        assert not removed_headers().search(name.lower()), name


_NAME = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~", min_size=1
)


@given(
    st.one_of(
        _NAME,
        st.tuples(st.sampled_from(REQUEST_HEADERS), _NAME).map("".join),
        st.tuples(_NAME, st.sampled_from(REQUEST_HEADERS)).map("".join),
        st.sampled_from(REQUEST_HEADERS).flatmap(
            lambda name: st.integers(0, len(name)).map(lambda end: name[:end])
        ),
        st.sampled_from(REQUEST_HEADERS).map(lambda name: name.replace("-", "_")),
        st.sampled_from(REQUEST_HEADERS).map(lambda name: name.replace("-", ".")),
    )
)
def test_every_other_header_is_removed(name: str) -> None:
    listed = name.lower() in {each.lower() for each in REQUEST_HEADERS}
    assert bool(removed_headers().search(name)) is not listed


def test_only_the_servers_own_segment_is_matched_and_stripped() -> None:
    *_, rule = rules(objects())
    host = "Host(`models.example.com`)"
    assert rule["match"] == f"{host} && (Path(`/{UUID}`) || PathPrefix(`/{UUID}/`))"
    assert middleware("gemma-strip")["stripPrefix"]["prefixes"] == [f"/{UUID}"]


def test_an_httproute_is_bound_to_the_gateway_and_host_of_the_settings() -> None:
    spec = of_kind(objects("gateway-api"), "HTTPRoute")["spec"]
    (parent,) = spec["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateway", "models")
    assert spec["hostnames"] == ["models.example.com"]
    assert spec["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": f"/{UUID}"}}]


def test_the_key_is_in_no_part_of_its_secret_but_the_data() -> None:
    secret = key_secret(make_serve(uid=UUID), "the-key")
    assert secret["stringData"] == {"api-key": "the-key"}
    assert "the-key" not in str(secret["metadata"])


@given(st.text(min_size=1, max_size=253), st.text(max_size=63), st.text(max_size=63))
def test_match_rules_contain_no_input_of_tenants(name: str, label: str, annotation: str) -> None:
    serve = ModelServe.parse(
        {
            "metadata": {
                "name": name,
                "namespace": "demo",
                "uid": UUID,
                "labels": {"team": label},
                "annotations": {"note": annotation},
            },
            "spec": {"modelName": "gemma-3-270m"},
        }
    )
    matches = [rule["match"] for rule in rules(objects(serve=serve))]
    assert matches == [rule["match"] for rule in rules(objects())]


@given(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?", fullmatch=True))
def test_every_name_is_a_dns_label(name: str) -> None:
    for kind in ROUTE_KINDS:
        for item in objects(kind, make_serve(name, uid=UUID)):
            assert _DNS_LABEL.fullmatch(item["metadata"]["name"])
