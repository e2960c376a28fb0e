"""NO_PROXY as Go reads it: names, addresses, networks, ports."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.no_proxy import NoProxy, is_entry

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_plain(address: Address) -> bool:
    """Whether an address is neither of this machine nor, as IPv4-mapped ones, compared as IPv4."""
    return not address.is_loopback and getattr(address, "ipv4_mapped", None) is None


ADDRESS = st.ip_addresses().filter(is_plain)


def matches(entries: str, host: str, port: int = 443) -> bool:
    return NoProxy.parse(entries.split(",")).matches(host, port)


@pytest.mark.parametrize(
    ("entries", "host", "port", "expected"),
    [
        ("example.com", "example.com", 443, True),
        ("example.com", "www.example.com", 443, True),
        ("example.com", "notexample.com", 443, False),
        (".example.com", "example.com", 443, False),
        (".example.com", "www.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "www.example.com", 443, True),
        ("Example.COM", "WWW.example.com", 443, True),
        ("example.com", "www.example.com.", 443, True),
        ("example.com:8443", "example.com", 443, False),
        ("example.com:8443", "example.com", 8443, True),
        ("10.96.0.0/12", "10.96.0.1", 443, True),
        ("10.96.0.0/12", "10.112.0.1", 443, False),
        ("10.96.0.1/12", "10.100.0.1", 443, True),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:6443", "10.0.0.1", 443, False),
        ("10.0.0.1:6443", "10.0.0.1", 6443, True),
        ("fd00::/8", "fd12::1", 443, True),
        ("fd00::/8", "2001:db8::1", 443, False),
        ("fd00::1", "FD00:0::1", 443, True),
        ("[fd00::1]:6443", "fd00::1", 6443, True),
        ("[fd00::1]:6443", "fd00::1", 443, False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 443, True),
        ("*", "anything.invalid", 80, True),
        (" a.test , b.test ", "b.test", 443, True),
        ("", "example.com", 443, False),
        ("10.0.0.0/33", "10.0.0.1", 443, False),
        (":443", "example.com", 443, False),
        ("0/0", "example.com", 443, False),
    ],
)
def test_entries_match_as_in_go(entries: str, host: str, port: int, expected: bool) -> None:
    assert matches(entries, host, port) is expected


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_never_reached_by_a_proxy(host: str) -> None:
    assert matches("", host)


@given(name=NAME, label=LABEL)
def test_domain_includes_its_subdomains_and_a_leading_dot_means_them_alone(
    name: str, label: str
) -> None:
    assert matches(name, name)
    assert matches(name, f"{label}.{name}")
    assert not matches(f".{name}", name)
    assert matches(f".{name}", f"{label}.{name}")
    assert not matches(name, f"{label}{name}")


@given(address=ADDRESS, prefix=st.integers(1, 32))
def test_network_matches_the_addresses_in_it(address: Address, prefix: int) -> None:
    network = ipaddress.ip_network((address, prefix), strict=False)
    assert matches(str(network), str(address))
    flipped = int(address) ^ (1 << (address.max_prefixlen - prefix))
    outside = type(address)(flipped)
    if is_plain(outside):
        assert not matches(str(network), str(outside))


@given(text=st.text(max_size=40), host=st.text(max_size=40), port=st.integers(0, 65535))
def test_any_text_is_read(text: str, host: str, port: int) -> None:
    assert NoProxy.parse(text.split(",")).matches(host, port) in (True, False)


@pytest.mark.parametrize(
    ("entry", "valid"),
    [
        ("example.com", True),
        (".svc", True),
        ("*.example.com:8443", True),
        ("10.0.0.0/8", True),
        ("[fd00::1]:443", True),
        ("*", True),
        ("", False),
        ("10.0.0.0/33", False),
        ("https://example.com", False),
        ("a b", False),
        ("*example.com", False),
    ],
)
def test_malformed_entry_is_recognised(entry: str, valid: bool) -> None:
    assert is_entry(entry) is valid
