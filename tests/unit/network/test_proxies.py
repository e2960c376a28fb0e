"""Settings of a proxy, and which requests use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings
from roadstead.kube.api_proxy import environment_proxy
from roadstead.proxies import Proxy, request_options
from roadstead.settings import EnvReader

URL = "http://proxy.example.com:3128"


def read(**given: str) -> Proxy | None:
    env = EnvReader({f"ROADSTEAD_SOURCE_{name}": value for name, value in given.items()})
    found = Proxy.read(env, "SOURCE")
    env.done()
    return found


def test_without_a_url_there_is_no_proxy() -> None:
    assert read(NO_PROXY="example.com") is None


def test_excluded_host_is_reached_directly() -> None:
    found = read(PROXY_URL=URL, NO_PROXY=".svc,10.0.0.0/8")
    assert request_options(found, "https://quant.models.svc/keys") == {}
    options = request_options(found, "https://login.example.com/keys")
    assert options == {"proxy": URL, "proxy_headers": {}}


def test_credentials_are_read_at_each_use(tmp_path: Path) -> None:
    found = read(PROXY_URL=URL, PROXY_CREDENTIALS_DIR=str(tmp_path))
    assert found is not None
    for password, header in (("one", "dXNlcjpvbmU="), ("two", "dXNlcjp0d28=")):
        (tmp_path / "username").write_text("user\n")
        (tmp_path / "password").write_text(password)
        assert found.headers() == {"Proxy-Authorization": f"Basic {header}"}


def test_missing_credentials_are_named(tmp_path: Path) -> None:
    found = read(PROXY_URL=URL, PROXY_CREDENTIALS_DIR=str(tmp_path))
    assert found is not None
    with pytest.raises(InvalidSettings, match="username: No such file"):
        found.headers()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"PROXY_URL": "https://proxy.example.com"}, "PROXY_URL: is not the URL of an http proxy"),
        ({"PROXY_URL": "http://me:pw@proxy"}, "PROXY_URL: is not a URL"),
        ({"PROXY_URL": URL, "NO_PROXY": "10.0.0.0/33"}, "invalid entry '10.0.0.0/33': write a"),
    ],
)
def test_invalid_setting_is_refused_with_what_to_write(given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as refused:
        read(**given)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": URL}, URL),
        ({"https_proxy": "proxy.example.com:3128"}, URL),
        ({"HTTP_PROXY": URL}, None),
        ({"HTTPS_PROXY": URL, "NO_PROXY": "10.96.0.0/12"}, None),
        ({"HTTPS_PROXY": URL, "no_proxy": "10.96.0.1:6443"}, None),
        ({"HTTPS_PROXY": URL, "NO_PROXY": "10.96.0.1:443"}, URL),
    ],
)
def test_proxy_of_an_api_server_is_that_of_kubectl(
    environ: dict[str, str], expected: str | None
) -> None:
    assert environment_proxy("https://10.96.0.1:6443", environ) == expected
