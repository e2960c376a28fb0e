"""Settings of transfer, fetch and the Quant service."""

from collections.abc import Callable, Mapping

import pytest

from roadstead.errors import InvalidSettings
from roadstead.fetch.fetch_settings import FetchSettings
from roadstead.source.source_settings import QuantSettings
from roadstead.transfer.transfer_settings import TransferSettings

STORE = {
    "ROADSTEAD_STORE_ENDPOINT": "http://minio:9000/",
    "ROADSTEAD_STORE_ACCESS_KEY_FILE": "/keys/access",
    "ROADSTEAD_STORE_SECRET_KEY_FILE": "/keys/secret",
}
FETCH = {
    "ROADSTEAD_FETCH_URL_FILE": "/url/url",
    "ROADSTEAD_FETCH_SHA256": "0" * 64,
    "ROADSTEAD_FETCH_SIZE": "100",
}
QUANT = {
    "ROADSTEAD_QUANT_SOURCE_ENDPOINT": "http://source:9000",
    "ROADSTEAD_QUANT_SOURCE_ACCESS_KEY_FILE": "/keys/access",
    "ROADSTEAD_QUANT_SOURCE_SECRET_KEY_FILE": "/keys/secret",
    "ROADSTEAD_QUANT_KEY_FILE": "/keys/quant",
}


def test_defaults_of_a_transfer() -> None:
    settings = TransferSettings.from_env(STORE)
    assert (settings.store.endpoint, settings.store.bucket) == ("http://minio:9000", "models")
    assert settings.quant_key_file is None
    assert not settings.allow.covers("http", "minio", 9000)


def test_public_endpoint_defaults_to_the_endpoint() -> None:
    assert QuantSettings.from_env(QUANT).public_endpoint == "http://source:9000"


@pytest.mark.parametrize(
    "from_env", [TransferSettings.from_env, FetchSettings.from_env, QuantSettings.from_env]
)
def test_all_missing_settings_are_reported_at_once(
    from_env: Callable[[Mapping[str, str]], object],
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        from_env({})
    assert str(caught.value).count("is not set") >= 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROADSTEAD_SOURCE_ALLOW", "host:port"),
        ("ROADSTEAD_TRANSFER_CONNECTIONS", "100"),
        ("ROADSTEAD_STORE_ENDPOINT", "minio:9000"),
        ("ROADSTEAD_STORE_ADDRESSING", "host"),
    ],
)
def test_invalid_setting_of_a_transfer_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        TransferSettings.from_env({**STORE, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("ROADSTEAD_FETCH_SHA256", "0" * 63), ("ROADSTEAD_FETCH_SIZE", "0")],
)
def test_invalid_setting_of_a_fetch_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        FetchSettings.from_env({**FETCH, name: value})


@pytest.mark.parametrize("host", ["10.1.2.3:9000", "[fd00::1]:9000", "127.1", "0x7f000001"])
@pytest.mark.parametrize(
    ("from_env", "environ", "name"),
    [
        (TransferSettings.from_env, STORE, "ROADSTEAD_STORE"),
        (QuantSettings.from_env, QUANT, "ROADSTEAD_QUANT_SOURCE"),
    ],
    ids=["store", "source"],
)
def test_ip_address_is_refused_for_virtual_host_addressing(
    from_env: Callable[[Mapping[str, str]], object],
    environ: Mapping[str, str],
    name: str,
    host: str,
) -> None:
    given = {**environ, f"{name}_ENDPOINT": f"http://{host}"}
    from_env(given)
    with pytest.raises(InvalidSettings, match=f"{name}_ADDRESSING: .* IP address"):
        from_env({**given, f"{name}_ADDRESSING": "virtualHost"})


def test_public_ip_address_is_refused_for_virtual_host_addressing() -> None:
    given = {**QUANT, "ROADSTEAD_QUANT_SOURCE_PUBLIC_ENDPOINT": "https://192.0.2.1"}
    with pytest.raises(InvalidSettings, match="ADDRESSING"):
        QuantSettings.from_env({**given, "ROADSTEAD_QUANT_SOURCE_ADDRESSING": "virtualHost"})
