"""Servers listen on both families."""

from __future__ import annotations

import socket

import pytest

from roadstead.listeners import ALL_ADDRESSES, listening_socket, url_host


@pytest.mark.parametrize("client", ["127.0.0.1", "::1"])
def test_all_addresses_are_of_both_families(client: str) -> None:
    with listening_socket(ALL_ADDRESSES, 0) as listener:
        socket.create_connection((client, listener.getsockname()[1]), timeout=10).close()


def test_without_ipv6_all_ipv4_addresses_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listening_socket(ALL_ADDRESSES, 0) as listener:
        assert listener.family == socket.AF_INET
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=10).close()


def test_given_address_is_served_alone() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_ipv6_address_is_in_brackets_in_a_url() -> None:
    assert [url_host(each) for each in ("fd00::1", "10.0.0.1", "a.test")] == [
        "[fd00::1]",
        "10.0.0.1",
        "a.test",
    ]
