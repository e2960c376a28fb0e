"""Ended sessions: the list in the ConfigMap of revoked tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.raw import Raw
from roadstead.console.auth.console_sessions import REVOCATION_WRITE_ATTEMPTS, SignedOut
from roadstead.console.web.login_views import local_path
from roadstead.errors import KubeConflict, SignOutRefused
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import Resource
from roadstead.tokens.claims import Claims
from roadstead.tokens.ended_sessions import (
    MAX_SESSIONS,
    MAX_SESSIONS_OF_ONE,
    SIGNED_OUT,
    SIGNED_OUT_BY,
    EndedSessions,
)
from roadstead.tokens.revocations import Revocations
from roadstead.tokens.sessions import read_ended, session_id, write_ended

NOW = 1_800_000_000
CLAIMS = Claims(
    subject="alice", issuer="https://issuer.example.com", audience=("roadstead",),
    groups=frozenset(), scopes=frozenset(), token_id="t-1", issued_at=NOW, expires_at=NOW + 600,
)  # fmt: skip


class Maps:
    """A ConfigMap whose next `conflicts` writes conflict."""

    def __init__(self, text: str = "", *, conflicts: int = 0) -> None:
        self.data = {"jti": "x", SIGNED_OUT: text}
        self.conflicts = conflicts

    @property
    def text(self) -> str:
        return self.data[SIGNED_OUT]

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return {"metadata": {"resourceVersion": "7"}, "data": self.data}

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        assert body["metadata"] == {"resourceVersion": "7"}
        assert body["data"].keys() == {SIGNED_OUT, SIGNED_OUT_BY}
        if self.conflicts:
            self.conflicts -= 1
            raise KubeConflict("changed", status=409)
        self.data = {**self.data, **body["data"]}
        return dict(body)


def signing_out(maps: Maps, clock: Callable[[], float] = lambda: NOW) -> SignedOut:
    return SignedOut(
        maps, namespace="n", name="r", leeway=30, on_write=lambda *_: None, clock=clock
    )


async def test_only_the_ended_session_is_revoked() -> None:
    maps = Maps()
    await signing_out(maps).add(CLAIMS)
    revoked = Revocations.parse({SIGNED_OUT: maps.text})
    assert revoked.why(CLAIMS) == "the token was signed out in the console"
    for change in ({"token_id": "t-2"}, {"subject": "bob"}, {"issued_at": NOW - 1}):
        assert revoked.why(dataclasses.replace(CLAIMS, **change)) is None


async def test_list_contains_neither_subject_nor_token_id() -> None:
    maps = Maps()
    await signing_out(maps).add(CLAIMS)
    assert "alice" not in str(maps.data)
    assert "t-1" not in str(maps.data)


async def test_entry_is_removed_once_its_token_has_expired() -> None:
    maps = Maps(f"old {NOW - 1}\nyoung {NOW + 1}\n")
    await signing_out(maps).add(CLAIMS)
    assert read_ended(maps.text) == {"young": NOW + 1, session_id(CLAIMS): NOW + 630}


def of(subject: str, token_id: int, **changes: Any) -> Claims:
    """Claims of `subject` with this token ID."""
    return dataclasses.replace(CLAIMS, subject=subject, token_id=str(token_id), **changes)


async def test_sign_outs_of_one_subject_do_not_displace_others() -> None:
    maps = Maps()
    signed_out = signing_out(maps)
    await signed_out.add(CLAIMS)
    for number in range(MAX_SESSIONS_OF_ONE):
        await signed_out.add(of("mallory", number, expires_at=NOW + 3600))
    for number in range(MAX_SESSIONS_OF_ONE, MAX_SESSIONS_OF_ONE + 3):
        with pytest.raises(SignOutRefused, match="50 tokens of this subject"):
            await signed_out.add(of("mallory", number, expires_at=NOW + 3600))
    assert Revocations.parse(maps.data).why(CLAIMS) is not None
    await signed_out.add(of("mallory", 0, expires_at=NOW + 3600))
    await signed_out.add(of("bob", 0))
    await signed_out.add(of("mallory", 0, issuer="https://other.example.com"))
    assert len(read_ended(maps.text)) == MAX_SESSIONS_OF_ONE + 3


async def test_subject_can_sign_out_again_once_older_tokens_have_expired() -> None:
    maps, clock = Maps(), [NOW]
    signed_out = signing_out(maps, clock=lambda: clock[0])
    for number in range(MAX_SESSIONS_OF_ONE):
        await signed_out.add(of("alice", number))
    clock[0] = NOW + 631
    await signed_out.add(of("alice", MAX_SESSIONS_OF_ONE, expires_at=NOW + 1200))
    assert len(read_ended(maps.text)) == 1
    assert len(maps.data[SIGNED_OUT_BY].splitlines()) == 1


async def test_full_list_refuses_new_entries_and_keeps_old_ones() -> None:
    maps = Maps(write_ended((f"s{number}", NOW + 1) for number in range(MAX_SESSIONS)))
    with pytest.raises(SignOutRefused, match="full"):
        await signing_out(maps).add(CLAIMS)
    assert len(read_ended(maps.text)) == MAX_SESSIONS


def test_full_list_fits_into_a_configmap() -> None:
    sessions = {f"{number:064x}": NOW for number in range(MAX_SESSIONS)}
    owners = {f"{number:012x}": "0" * 16 for number in range(MAX_SESSIONS)}
    data = EndedSessions(until=sessions, owners=owners).data()
    assert sum(map(len, data.values())) < 900 * 1024


async def test_conflicting_sign_out_is_retried() -> None:
    maps = Maps(conflicts=REVOCATION_WRITE_ATTEMPTS - 1)
    await signing_out(maps).add(CLAIMS)
    assert session_id(CLAIMS) in read_ended(maps.text)


async def test_persistent_conflict_is_raised() -> None:
    with pytest.raises(KubeConflict):
        await signing_out(Maps(conflicts=REVOCATION_WRITE_ATTEMPTS)).add(CLAIMS)


@given(st.text(max_size=200))
def test_arbitrary_list_never_raises(text: str) -> None:
    assert all(isinstance(until, int) for until in read_ended(text).values())


@pytest.mark.parametrize(
    "target",
    ["", "servers", "//evil.example", "/\\evil.example", "https://evil.example", "/sign-out",
     "/a\nb", "/ä", "/" + "a" * 600],
)  # fmt: skip
def test_target_outside_the_console_is_replaced(target: str) -> None:
    assert local_path(target) == "/servers"


@pytest.mark.parametrize("target", ["/models?q=gemma", "/servers/1#x", "/"])
def test_pages_of_the_console_are_targets(target: str) -> None:
    assert local_path(target) == target
