"""The Secrets that the chart's Job creates: their description, and which values are missing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from roadstead.cli.secret_generation import GeneratedSecret, parse_secrets
from roadstead.errors import InvalidSettings

DSN = {"size": 16, "form": "postgresql://owner:%s@db:5432/roadstead"}


def parsed(**values: Any) -> GeneratedSecret:
    (found,) = parse_secrets(json.dumps([{"name": "a", "values": values}]))
    return found


def first(alphabet: str) -> str:
    return alphabet[0]


def decoded(values: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64decode(text).decode() for key, text in values.items()}


def test_missing_secret_lacks_all_values() -> None:
    secret = parsed(key={"size": 20}, dsn=DSN)
    assert decoded(secret.missing_values(None, first)) == {
        "key": "a" * 20,
        "dsn": "postgresql://owner:aaaaaaaaaaaaaaaa@db:5432/roadstead",
    }


def test_existing_values_are_kept() -> None:
    secret = parsed(key={"size": 20}, other={"size": 20})
    existing = {"data": {"key": "bW9ja2Vk", "other": ""}}
    assert list(secret.missing_values(existing, first)) == ["other"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("{}", "no list"),
        ('[{"values": {}}]', "invalid entry"),
        ('[{"name": "a", "values": []}]', "invalid entry"),
        ('[{"name": "a", "values": {"key": {}}}]', "invalid value"),
        ('[{"name": "a", "values": {"key": {"size": 8}}}]', "write 16 to 128"),
        ('[{"name": "a", "values": {"key": {"size": true}}}]', "write 16 to 128"),
        ('[{"name": "a", "values": {"key": {"size": 16, "form": "x"}}}]', "write one %s"),
    ],
)
def test_invalid_description_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        parse_secrets(text)
