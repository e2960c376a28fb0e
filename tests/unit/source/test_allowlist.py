"""The allow-list of sources."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.source.allowlist import AllowList, InvalidEntry

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    ("entry", "scheme", "host", "port"),
    [
        pytest.param("minio.example.com", "https", "minio.example.com", 443, id="https"),
        pytest.param("minio.example.com", "http", "minio.example.com", 80, id="http"),
        pytest.param("minio.example.com:9000", "http", "MINIO.example.com.", 9000, id="port"),
        pytest.param("*.example.com", "https", "a.b.example.com", 443, id="wildcard"),
        pytest.param("10.1.0.0/16:9000", "http", "10.1.2.3", 9000, id="network"),
        pytest.param("[fd00::/8]:9000", "http", "fd00::1", 9000, id="ipv6-network"),
        pytest.param("http://10.1.2.3:9000/", "http", "10.1.2.3", 9000, id="endpoint"),
    ],
)
def test_entry_covers(entry: str, scheme: str, host: str, port: int) -> None:
    assert AllowList.parse([entry]).covers(scheme, host, port)


@pytest.mark.parametrize(
    ("entry", "scheme", "host", "port"),
    [
        pytest.param("minio.example.com", "https", "minio.example.com", 9000, id="other-port"),
        pytest.param("https://minio.example.com", "http", "minio.example.com", 80, id="scheme"),
        pytest.param("*.example.com", "https", "example.com", 443, id="wildcard-itself"),
        pytest.param("*.example.com", "https", "evilexample.com", 443, id="wildcard-suffix"),
        pytest.param("10.1.0.0/16", "http", "10.2.0.1", 80, id="outside-the-network"),
        pytest.param("10.1.0.0/16", "http", "ten.example.com", 80, id="name-for-a-network"),
    ],
)
def test_entry_does_not_cover(entry: str, scheme: str, host: str, port: int) -> None:
    assert not AllowList.parse([entry]).covers(scheme, host, port)


@pytest.mark.parametrize("entry", ["", "a b", "user@host", "host:0", "host:99999", "a/b", "*"])
def test_invalid_entry_is_refused(entry: str) -> None:
    with pytest.raises(InvalidEntry, match="expected host"):
        AllowList.parse([entry])


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.1", "93.184.216.34", "fd00::5"])
def test_host_is_allowed_at_private_and_public_addresses(address: str) -> None:
    assert AllowList.parse(["minio.example.com"]).allows_address(
        "http", "minio.example.com", 80, address
    )


@pytest.mark.parametrize(
    "address",
    [
        METADATA,
        f"::ffff:{METADATA}",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104 - the point of the test
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        f"::ffff:0:{METADATA}",
        f"::ffff:0:0:{METADATA}",
        f"::{METADATA}",
        f"100::{METADATA}",
        "fec0::1",
        "ff02::1",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "no address",
    ],
)
def test_host_is_never_allowed_at_this_address(address: str) -> None:
    assert not AllowList.parse(["minio.example.com"]).allows_address(
        "http", "minio.example.com", 80, address
    )


@pytest.mark.parametrize(
    ("entry", "host"), [("localhost:9000", "localhost"), ("127.0.0.0/8:9000", "127.0.0.1")]
)
def test_loopback_is_allowed_by_a_loopback_entry(entry: str, host: str) -> None:
    assert AllowList.parse([entry]).allows_address("http", host, 9000, "127.0.0.1")


def test_metadata_address_is_never_allowed() -> None:
    assert not AllowList.parse([METADATA]).allows_address("http", METADATA, 80, METADATA)


@given(host=st.text(max_size=40), address=st.ip_addresses().map(str))
def test_empty_list_allows_nothing(host: str, address: str) -> None:
    assert not AllowList.parse([]).allows_address("http", host, 80, address)


EMBEDDING_PREFIXES = [
    int(ipaddress.IPv6Address(prefix))
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::")
]


@given(
    prefix=st.sampled_from(EMBEDDING_PREFIXES),
    embedded=st.sampled_from([METADATA, "127.0.0.1", "10.0.0.7"]),
)
def test_address_that_embeds_another_is_allowed_only_if_that_is(prefix: int, embedded: str) -> None:
    allow_list = AllowList.parse(["minio.example.com"])
    address = ipaddress.IPv6Address(prefix + int(ipaddress.IPv4Address(embedded)))
    is_allowed = allow_list.allows_address("http", "minio.example.com", 80, str(address))
    assert not is_allowed or allow_list.allows_address("http", "minio.example.com", 80, embedded)


@given(address=st.ip_addresses(v=6))
def test_only_global_and_unique_local_ipv6_addresses_are_allowed(
    address: ipaddress.IPv6Address,
) -> None:
    if AllowList.parse(["minio.example.com"]).allows_address(
        "http", "minio.example.com", 80, str(address)
    ):
        assert address.ipv4_mapped or address.exploded[0] in "23" or address.exploded[:2] in "fcfd"


@given(entry=st.text(max_size=60))
def test_any_text_is_parsed_or_refused(entry: str) -> None:
    try:
        AllowList.parse([entry])
    except InvalidEntry:
        return
