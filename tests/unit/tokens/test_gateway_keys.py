"""The key that operator and forward auth share, and the credentials derived from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.errors import InvalidSettings
from roadstead.tokens.gateway_keys import GatewayKey

KEY = GatewayKey(b"k" * 32)
SERVER = "3b0c1f5e-7f6f-4a2e-9d10-0d5a5a3f7f10"
OTHER = "9a7d3a52-52c8-4a53-8ac1-59a8a3d2f001"
NOW = 1_800_000_000


def test_server_key_is_deterministic() -> None:
    assert GatewayKey(b"k" * 32).server_key(SERVER) == KEY.server_key(SERVER)


def test_server_key_differs_between_servers() -> None:
    assert KEY.server_key(SERVER) != KEY.server_key(OTHER)


def test_server_key_changes_with_the_gateways_key() -> None:
    assert KEY.server_key(SERVER) != GatewayKey(b"o" * 32).server_key(SERVER)


def test_server_key_is_base64url() -> None:
    assert set(KEY.server_key(SERVER)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_probe_is_valid_for_a_minute() -> None:
    probe = KEY.probe(SERVER, now=NOW)
    assert KEY.is_probe(probe, SERVER, now=NOW + 59)


def test_probe_is_valid_if_the_clock_is_slow_by_some_seconds() -> None:
    assert KEY.is_probe(KEY.probe(SERVER, now=NOW), SERVER, now=NOW - 20)


def test_probe_expires() -> None:
    assert not KEY.is_probe(KEY.probe(SERVER, now=NOW), SERVER, now=NOW + 91)


def test_probe_from_the_future_is_refused() -> None:
    assert not KEY.is_probe(KEY.probe(SERVER, now=NOW + 3600), SERVER, now=NOW)


def test_probe_of_another_server_is_refused() -> None:
    assert not KEY.is_probe(KEY.probe(OTHER, now=NOW), SERVER, now=NOW)


def test_probe_of_another_key_is_refused() -> None:
    probe = GatewayKey(b"o" * 32).probe(SERVER, now=NOW)
    assert not KEY.is_probe(probe, SERVER, now=NOW)


def test_probe_with_a_changed_time_is_refused() -> None:
    _, signature = KEY.probe(SERVER, now=NOW).split(".")
    assert not KEY.is_probe(f"{NOW + 90}.{signature}", SERVER, now=NOW + 40)


@given(st.text())
def test_other_text_is_not_a_probe(text: str) -> None:
    assert not KEY.is_probe(text, SERVER, now=NOW)


def test_repr_does_not_show_the_key() -> None:
    assert "kkk" not in repr(KEY)


def test_key_is_read_without_its_trailing_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32 + b"\n")
    assert GatewayKey.read(tmp_path / "key") == KEY


def test_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 31)
    with pytest.raises(InvalidSettings, match="31 bytes; at least 32"):
        GatewayKey.read(tmp_path / "key")


def test_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="can't be read: No such file"):
        GatewayKey.read(tmp_path / "key")
