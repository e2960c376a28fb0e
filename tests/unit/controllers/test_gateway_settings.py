"""Settings of the gateway: faults name the setting."""

from __future__ import annotations

import pytest

from roadstead.authorities import SYSTEM_AUTHORITIES
from roadstead.controllers.gateway_settings import GatewaySettings
from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader

GOOD = {
    "ROADSTEAD_GATEWAY_KIND": "traefik",
    "ROADSTEAD_GATEWAY_URL": "https://models.example.com:8443",
    "ROADSTEAD_FORWARD_AUTH_URL": "http://forward-auth.roadstead-system.svc",
}


def read(**changes: str) -> GatewaySettings | None:
    env = EnvReader({**GOOD, **changes})
    found = GatewaySettings.read(env)
    env.done()
    return found


def test_without_a_kind_there_is_no_gateway() -> None:
    assert GatewaySettings.read(EnvReader({})) is None


def test_missing_settings_have_defaults() -> None:
    found = read()
    assert found is not None
    assert found.routing.entry_points == ("websecure",)
    assert found.routing.max_in_flight == 64
    assert (found.address, found.authorities) == ("", SYSTEM_AUTHORITIES)
    assert str(found.key_file) == "/etc/roadstead/gateway/key"


def test_the_console_url_defaults_to_the_gateway_url() -> None:
    shared, apart = read(), read(ROADSTEAD_CONSOLE_URL="https://console.example.com")
    assert shared is not None
    assert apart is not None
    assert shared.routing.console_host == shared.routing.host == "models.example.com"
    assert (apart.routing.console_host, apart.routing.host) == (
        "console.example.com",
        "models.example.com",
    )


def test_the_parent_may_name_a_listener() -> None:
    changes = {"ROADSTEAD_GATEWAY_KIND": "gateway-api", "ROADSTEAD_GATEWAY_PARENT": "ns/gw/tls"}
    found = read(**changes)
    assert found is not None
    assert found.routing.parent == ("ns", "gw", "tls")


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example.com", "https://app.example.com:8443", "http://localhost:3000"),
        *("http://[::1]:3000", "https://xn--bcher-kva.example", "tauri://localhost"),
        *("app://obsidian.md", "chrome-extension://abcdefghijklmnop", "http://127.0.0.1"),
    ],
)
def test_valid_origins_are_accepted(origin: str) -> None:
    found = read(ROADSTEAD_GATEWAY_CORS_ORIGINS=f"https://a.example, {origin}")
    assert found is not None
    assert found.routing.cors_origins == ("https://a.example", origin)


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "app.example.com", "https://", "https://*.example.com"),
        *("https://app.example.com/", "https://app.example.com/a", "https://App.example.com"),
        *(
            "https://app.example.com:443",
            "http://a:80",
            "https://u@a",
            "https://a:0",
            "https://a?b",
        ),
        "https://bücher.example",
        f"https://{'a' * 300}",
    ],
)
def test_an_invalid_origin_is_refused_with_a_hint(origin: str) -> None:
    with pytest.raises(InvalidSettings, match=r"CORS_ORIGINS.*such as https://app\.example\.com"):
        read(ROADSTEAD_GATEWAY_CORS_ORIGINS=origin)


def test_more_than_fifty_origins_are_refused() -> None:
    origins = ",".join(f"https://a{number}.example" for number in range(51))
    with pytest.raises(InvalidSettings, match="at most 50"):
        read(ROADSTEAD_GATEWAY_CORS_ORIGINS=origins)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROADSTEAD_GATEWAY_KIND", "nginx"),
        ("ROADSTEAD_GATEWAY_URL", ""),
        ("ROADSTEAD_GATEWAY_URL", "http://models.example.com"),
        ("ROADSTEAD_GATEWAY_URL", "https://models.example.com/path"),
        ("ROADSTEAD_GATEWAY_URL", "https://a`)||Host(`b"),
        ("ROADSTEAD_CONSOLE_URL", "http://console.example.com"),
        ("ROADSTEAD_CONSOLE_URL", "https://a`)||Host(`b"),
        ("ROADSTEAD_CONSOLE_URL", "https://models.example.com:9443"),
        ("ROADSTEAD_FORWARD_AUTH_URL", ""),
        ("ROADSTEAD_FORWARD_AUTH_URL", "forward-auth"),
        ("ROADSTEAD_GATEWAY_ADDRESS", "https://traefik:443"),
        ("ROADSTEAD_GATEWAY_ADDRESS", "traefik:https"),
        ("ROADSTEAD_GATEWAY_MAX_IN_FLIGHT", "0"),
    ],
)
def test_a_fault_names_its_setting(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        read(**{name: value})


@pytest.mark.parametrize("parent", ["", "gateway", "a/b/c/d"])
def test_routes_of_the_gateway_api_need_their_gateway(parent: str) -> None:
    with pytest.raises(InvalidSettings, match="ROADSTEAD_GATEWAY_PARENT"):
        read(ROADSTEAD_GATEWAY_KIND="gateway-api", ROADSTEAD_GATEWAY_PARENT=parent)
