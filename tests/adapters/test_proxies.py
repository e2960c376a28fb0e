"""Sources and issuers through an HTTP proxy, which alone can resolve their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from roadstead.authorities import Authorities
from roadstead.errors import SourceError
from roadstead.issuers.key_reader import KeysUnavailable, UrlReader
from roadstead.no_proxy import NoProxy
from roadstead.proxies import Proxy
from roadstead.source.allowlist import AllowList
from roadstead.source.dial import Egress
from roadstead.source.ranges import RangeReader
from roadstead.source.urls import FixedUrl
from tests.adapters.issuer_server import issuer_server
from tests.adapters.issuer_tokens import FIRST
from tests.support.builders.key_sets import document
from tests.support.certificates import Authority
from tests.support.connect_proxy import ConnectProxy, running_connect_proxy
from tests.support.fault_server import FaultServer
from tests.support.server_tls import server_context

HOST = "models.example.test"


@pytest.fixture
def proxy(small: FaultServer) -> Iterator[ConnectProxy]:
    """A proxy before the source."""
    with running_connect_proxy(small.port) as running:
        yield running


def probe(
    proxy: ConnectProxy, *allow: str, url: str = f"http://{HOST}/m", credentials: Path | None = None
) -> int:
    """Return the size of the object at the URL, read through the proxy."""
    by = Proxy(host="127.0.0.1", port=proxy.port, credentials=credentials)
    reader = RangeReader(FixedUrl(url), Egress(policy=AllowList.parse(allow or [HOST]), proxy=by))
    try:
        return reader.probe().size
    finally:
        reader.close()


def reason(proxy: ConnectProxy, *allow: str, url: str = f"http://{HOST}/m") -> str:
    with pytest.raises(SourceError) as refused:
        probe(proxy, *allow, url=url)
    return refused.value.reason


def test_source_is_read_through_the_proxy(proxy: ConnectProxy, small: FaultServer) -> None:
    assert probe(proxy) == len(small.content)
    assert proxy.asked == [f"{HOST}:80"]


def test_host_off_the_allow_list_is_refused_before_the_proxy_is_asked(proxy: ConnectProxy) -> None:
    assert reason(proxy, url="http://other.example.test/m") == "SourceNotAllowed"
    assert proxy.asked == []


def test_redirect_off_the_allow_list_is_refused_before_the_proxy_is_asked(
    proxy: ConnectProxy, small: FaultServer
) -> None:
    small.redirect_to = "http://other.example.test/m"
    assert reason(proxy) == "SourceNotAllowed"
    assert proxy.asked == [f"{HOST}:80"]


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        (HOST, "http://10.1.2.3/m"),
        ("169.254.169.254", "http://169.254.169.254/m"),
        ("[fe80::1]", "http://[fe80::1]/m"),
    ],
)
def test_address_that_is_never_read_is_not_asked_for(
    proxy: ConnectProxy, allow: str, url: str
) -> None:
    assert reason(proxy, allow, url=url) == "SourceNotAllowed"
    assert proxy.asked == []


def test_allowed_address_is_asked_for(proxy: ConnectProxy) -> None:
    assert probe(proxy, "[fd00::/8]:9000", url="http://[fd00::1]:9000/m") > 0
    assert proxy.asked == ["[fd00::1]:9000"]


def test_credentials_are_read_for_each_connection(proxy: ConnectProxy, tmp_path: Path) -> None:
    proxy.authorization = "Basic dXNlcjpzZWNyZXQ="
    (tmp_path / "username").write_text("user")
    (tmp_path / "password").write_text("old")
    with pytest.raises(SourceError, match="refused the credentials") as refused:
        probe(proxy, credentials=tmp_path)
    assert refused.value.reason == "SourceProxyDenied"
    (tmp_path / "password").write_text("secret")
    assert probe(proxy, credentials=tmp_path) > 0


@pytest.mark.parametrize(
    ("status", "expected"), [(403, "SourceProxyDenied"), (502, "SourceUnreachable")]
)
def test_refusal_of_the_proxy_has_its_reason(
    proxy: ConnectProxy, status: int, expected: str
) -> None:
    proxy.status = status
    assert reason(proxy) == expected


def test_absent_proxy_has_its_reason() -> None:
    assert reason(ConnectProxy(upstream=1, port=1)) == "SourceUnreachable"


async def test_issuers_keys_are_read_through_the_proxy(tmp_path: Path) -> None:
    authority = Authority.create()
    certificate = authority.issue(tmp_path, "login.example.test")
    issuer = issuer_server(FIRST)
    trusted = Authorities(file=certificate.authority, system=False)
    async with issuer.listening(server_context(certificate)), aiohttp.ClientSession() as session:
        with running_connect_proxy(issuer.port) as proxy:
            by = Proxy(host="127.0.0.1", port=proxy.port)
            url = "https://login.example.test/jwks"
            reader = UrlReader(url=url, session=session, authorities=trusted, proxy=by)
            assert await reader.read() == document(FIRST)
            assert proxy.asked == ["login.example.test:443"]
            excluded = Proxy(
                host=by.host, port=by.port, no_proxy=NoProxy.parse(["login.example.test"])
            )
            direct = UrlReader(url=url, session=session, authorities=trusted, proxy=excluded)
            with pytest.raises(KeysUnavailable):
                await direct.read()
            assert len(proxy.asked) == 1
