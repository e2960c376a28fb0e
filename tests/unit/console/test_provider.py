"""How the console says to a provider who it is."""

import base64

import pytest

from roadstead.console.provider import credentials
from roadstead.errors import InvalidToken


def test_a_public_client_shows_nothing() -> None:
    shown = credentials("console", "", ["client_secret_basic"])
    assert (dict(shown.headers), dict(shown.form)) == ({}, {})


@pytest.mark.parametrize("methods", [None, ["client_secret_post", "client_secret_basic"]])
def test_basic_is_encoded_as_a_form_is(methods: object) -> None:
    shown = credentials("team:console", "50%+ more/less", methods)
    pair = base64.b64decode(shown.headers["Authorization"].removeprefix("Basic ")).decode()
    assert pair == "team%3Aconsole:50%25%2B+more%2Fless"
    assert dict(shown.form) == {}


def test_the_secret_is_in_the_form_where_only_that_is_offered() -> None:
    shown = credentials("console", "50%+", ["private_key_jwt", "client_secret_post"])
    assert (dict(shown.headers), dict(shown.form)) == ({}, {"client_secret": "50%+"})


def test_provider_that_takes_no_secret_is_reported() -> None:
    with pytest.raises(InvalidToken, match="neither client_secret_basic nor client_secret_post"):
        credentials("console", "secret", ["private_key_jwt"])
