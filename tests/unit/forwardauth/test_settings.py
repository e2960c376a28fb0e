"""The settings of forward auth."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings
from roadstead.forwardauth.auth_settings import ForwardAuthSettings


def environ(folder: Path, **changes: str) -> dict[str, str]:
    """Return the required settings, with changes."""
    issuers = folder / "issuers.yaml"
    issuers.write_text("[{issuer: a, audience: b, secretFile: c}]")
    return {
        "ROADSTEAD_TOKEN_ISSUERS_FILE": str(issuers),
        "ROADSTEAD_GATEWAY_URL": "https://models.example.com",
        **changes,
    }


def test_contracts_are_checked_unless_admission_is_off(tmp_path: Path) -> None:
    assert ForwardAuthSettings.from_env(environ(tmp_path)).contracts
    off = environ(tmp_path, ROADSTEAD_ADMISSION="off")
    assert not ForwardAuthSettings.from_env(off).contracts


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Models.Example.com:443/", "https://models.example.com"),
        ("https://localhost:8443", "https://localhost:8443"),
    ],
)
def test_origin_is_written_as_browsers_write_it(tmp_path: Path, url: str, origin: str) -> None:
    settings = ForwardAuthSettings.from_env(environ(tmp_path, ROADSTEAD_GATEWAY_URL=url))
    assert settings.origin == origin


def test_sessions_are_invalid_if_the_console_has_its_own_host(tmp_path: Path) -> None:
    apart = environ(tmp_path, ROADSTEAD_CONSOLE_URL="https://console.example.com")
    assert ForwardAuthSettings.from_env(apart).origin == ""


def test_every_invalid_setting_is_reported(tmp_path: Path) -> None:
    wrong = environ(
        tmp_path, ROADSTEAD_GATEWAY_URL="", ROADSTEAD_ADMISSION="no", ROADSTEAD_PROBE_PORT="x"
    )
    with pytest.raises(InvalidSettings, match=r"ADMISSION: .*; .*GATEWAY_URL: .*; .*PROBE_PORT: "):
        ForwardAuthSettings.from_env(wrong)
