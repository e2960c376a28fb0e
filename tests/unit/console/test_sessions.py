"""How a session ends, for everybody who verifies tokens."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.raw import Raw
from roadstead.console.signedout import ATTEMPTS, KEPT, SignedOut
from roadstead.console.signing import local
from roadstead.errors import KubeConflict
from roadstead.kube.client import Object
from roadstead.kube.resources import Resource
from roadstead.tokens.claims import Claims
from roadstead.tokens.revocations import SIGNED_OUT, Revocations
from roadstead.tokens.sessions import read_ended, session_id, write_ended

NOW = 1_800_000_000
CLAIMS = Claims(
    subject="alice", issuer="https://issuer.example.com", audience=("roadstead",),
    groups=frozenset(), scopes=frozenset(), token_id="t-1", issued_at=NOW, expires_at=NOW + 600,
)  # fmt: skip


class Maps:
    """One ConfigMap, whose next writes conflict."""

    def __init__(self, text: str = "", *, conflicts: int = 0) -> None:
        self.text = text
        self.conflicts = conflicts

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return {"metadata": {"resourceVersion": "7"}, "data": {"jti": "x", SIGNED_OUT: self.text}}

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        assert body["metadata"] == {"resourceVersion": "7"}
        assert body["data"].keys() == {SIGNED_OUT}
        if self.conflicts:
            self.conflicts -= 1
            raise KubeConflict("changed", status=409)
        self.text = body["data"][SIGNED_OUT]
        return dict(body)


def signing_out(maps: Maps) -> SignedOut:
    return SignedOut(
        maps, namespace="n", name="r", leeway=30, told=lambda *_: None, clock=lambda: NOW
    )


async def test_ended_session_is_refused_and_no_other() -> None:
    maps = Maps()
    await signing_out(maps).add(CLAIMS)
    revoked = Revocations.parse({SIGNED_OUT: maps.text})
    assert revoked.why(CLAIMS) == "the token was signed out with in the console"
    for change in ({"token_id": "t-2"}, {"subject": "bob"}, {"issued_at": NOW - 1}):
        assert revoked.why(dataclasses.replace(CLAIMS, **change)) is None


async def test_list_tells_neither_subject_nor_token_id() -> None:
    maps = Maps()
    await signing_out(maps).add(CLAIMS)
    assert "alice" not in maps.text
    assert "t-1" not in maps.text


async def test_entry_goes_once_its_token_would_not_hold_anyway() -> None:
    maps = Maps(f"old {NOW - 1}\nyoung {NOW + 1}\n")
    await signing_out(maps).add(CLAIMS)
    assert read_ended(maps.text) == {"young": NOW + 1, session_id(CLAIMS): NOW + 630}


async def test_list_is_bounded() -> None:
    maps = Maps(write_ended((f"s{number}", NOW + number) for number in range(1, KEPT + 5)))
    await signing_out(maps).add(CLAIMS)
    assert len(read_ended(maps.text)) == KEPT


async def test_two_who_sign_out_at_once_are_both_written() -> None:
    maps = Maps(conflicts=ATTEMPTS - 1)
    await signing_out(maps).add(CLAIMS)
    assert session_id(CLAIMS) in read_ended(maps.text)


async def test_conflicts_without_end_are_told() -> None:
    with pytest.raises(KubeConflict):
        await signing_out(Maps(conflicts=ATTEMPTS)).add(CLAIMS)


@given(st.text(max_size=200))
def test_no_text_breaks_the_list(text: str) -> None:
    assert all(isinstance(until, int) for until in read_ended(text).values())


@pytest.mark.parametrize(
    "target",
    ["", "servers", "//evil.example", "/\\evil.example", "https://evil.example", "/sign-out",
     "/a\nb", "/ä", "/" + "a" * 600],
)  # fmt: skip
def test_no_target_leads_away(target: str) -> None:
    assert local(target) == "/servers"


@pytest.mark.parametrize("target", ["/models?q=gemma", "/servers/1#x", "/"])
def test_pages_of_ours_are_targets(target: str) -> None:
    assert local(target) == target
