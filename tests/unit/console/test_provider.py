"""Authentication of the console at a provider."""

import base64

import pytest

from roadstead.console.auth.provider import credentials
from roadstead.errors import InvalidToken


def test_public_client_sends_no_credentials() -> None:
    client = credentials("console", "", ["client_secret_basic"])
    assert (dict(client.headers), dict(client.form)) == ({}, {})


@pytest.mark.parametrize("methods", [None, ["client_secret_post", "client_secret_basic"]])
def test_basic_credentials_are_form_encoded(methods: object) -> None:
    client = credentials("team:console", "50%+ more/less", methods)
    pair = base64.b64decode(client.headers["Authorization"].removeprefix("Basic ")).decode()
    assert pair == "team%3Aconsole:50%25%2B+more%2Fless"
    assert dict(client.form) == {}


def test_secret_is_in_the_form_if_basic_is_not_supported() -> None:
    client = credentials("console", "50%+", ["private_key_jwt", "client_secret_post"])
    assert (dict(client.headers), dict(client.form)) == ({}, {"client_secret": "50%+"})


def test_provider_without_supported_method_is_reported() -> None:
    with pytest.raises(InvalidToken, match="neither client_secret_basic nor client_secret_post"):
        credentials("console", "secret", ["private_key_jwt"])
