"""Settings of the console."""

import json
from pathlib import Path

import pytest

from roadstead.console.console_settings import ConsoleSettings
from roadstead.errors import InvalidSettings
from roadstead.tokens.sessions import origin_of


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The required variables."""
    issuers = tmp_path / "issuers.json"
    entry = {"issuer": "https://id.example.com", "audience": "a", "jwksFile": "keys.json"}
    issuers.write_text(json.dumps([entry]))
    return {
        "ROADSTEAD_TOKEN_ISSUERS_FILE": str(issuers),
        "ROADSTEAD_LEDGER_DSN_FILE": "/etc/roadstead/ledger/dsn",
        "ROADSTEAD_GATEWAY_URL": "https://models.example.com:443",
    }


def test_required_variables_are_sufficient(environ: dict[str, str]) -> None:
    settings = ConsoleSettings.from_env(environ)
    assert settings.origin == "https://models.example.com"
    assert settings.provider is None
    assert settings.admin_groups == {"roadstead-admins"}


def test_console_has_the_servers_origin_unless_it_has_a_separate_host(
    environ: dict[str, str],
) -> None:
    separate = {**environ, "ROADSTEAD_CONSOLE_URL": "https://console.example.com"}
    settings = ConsoleSettings.from_env(separate)
    assert settings.origin == "https://console.example.com"
    assert settings.servers.separate
    assert settings.servers.address_of("u", "/x") == "https://models.example.com:443/u/x"
    assert not ConsoleSettings.from_env(environ).servers.separate


def test_separate_port_is_not_a_separate_host(environ: dict[str, str]) -> None:
    same = {**environ, "ROADSTEAD_CONSOLE_URL": "https://models.example.com:8443"}
    with pytest.raises(InvalidSettings, match="CONSOLE_URL: has the host of"):
        ConsoleSettings.from_env(same)


def test_all_missing_variables_are_reported(environ: dict[str, str]) -> None:
    del environ["ROADSTEAD_LEDGER_DSN_FILE"], environ["ROADSTEAD_GATEWAY_URL"]
    with pytest.raises(InvalidSettings, match=r"GATEWAY_URL.*DSN_FILE"):
        ConsoleSettings.from_env(environ)


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("https://id.example.com", "OIDC_CLIENT_ID"),
        ("https://other.example.com", "is not an issuer in"),
    ],
)
def test_provider_requires_a_trusted_issuer_and_a_client_id(
    environ: dict[str, str], issuer: str, expected: str
) -> None:
    with pytest.raises(InvalidSettings, match=expected):
        ConsoleSettings.from_env({**environ, "ROADSTEAD_CONSOLE_OIDC_ISSUER": issuer})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Models.Example.com:443", "https://models.example.com"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_origin_has_the_form_of_browsers(url: str, origin: str) -> None:
    assert origin_of(url) == origin
