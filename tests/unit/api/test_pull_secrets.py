"""The image pull Secrets in settings."""

from __future__ import annotations

import pytest

from roadstead.api.pull_secrets import PullSecret, read_pull_secrets
from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader


def read(text: str) -> tuple[PullSecret, ...]:
    env = EnvReader({"PULL": text} if text else {})
    found = read_pull_secrets(env, "PULL")
    env.done()
    return found


def test_secrets_are_named_or_copied() -> None:
    assert read("") == read("[]") == ()
    assert read('[{"name": "a"}, {"name": "b.c", "copy": true}]') == (
        PullSecret(name="a"),
        PullSecret(name="b.c", copy=True),
    )


@pytest.mark.parametrize(
    "text",
    [
        "regcred",
        "{}",
        '["regcred"]',
        '[{"name": ""}]',
        '[{"name": "A"}]',
        '[{"name": "a/b"}]',
        '[{"copy": true}]',
        '[{"name": "a", "copy": "yes"}]',
        '[{"name": "a", "namespace": "b"}]',
    ],
)
def test_another_form_is_a_fault(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"PULL: is not a JSON list of pull Secrets, such as"):
        read(text)


def test_one_name_twice_is_a_fault() -> None:
    with pytest.raises(InvalidSettings, match="names a Secret twice"):
        read('[{"name": "a"}, {"name": "a", "copy": true}]')


def test_a_copy_needs_room_for_the_servers_name() -> None:
    with pytest.raises(InvalidSettings, match="at most 190 characters"):
        read(f'[{{"name": "{"a" * 191}", "copy": true}}]')
    assert read(f'[{{"name": "{"a" * 191}"}}]')
