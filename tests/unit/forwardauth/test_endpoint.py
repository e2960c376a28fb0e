"""Requests and their verdicts, without HTTP."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from roadstead.forwardauth.auth_responses import AuthResponse
from roadstead.kube.resources import MODELSERVES, RESOURCECONTRACTS
from tests.support.builders import tokens
from tests.unit.forwardauth.questions import (
    CHAT,
    KEY,
    NOW,
    ORIGIN,
    OTHER,
    SERVER,
    Pairs,
    Site,
    asked,
    bearer,
    token,
    verdict,
)

COOKIE = "__Host-roadstead-session"


def error(answer: AuthResponse) -> dict[str, Any]:
    """Return the error as a client of the OpenAI API reads it."""
    found: dict[str, Any] = json.loads(answer.body)["error"]
    return found


async def test_caller_that_the_contract_covers_is_allowed() -> None:
    assert await verdict(Site(), bearer(token())) == (200, "Allowed")


async def test_callers_token_is_replaced_by_the_servers_key() -> None:
    answer = await Site().endpoint.answer(asked(bearer(token())), SERVER)
    assert answer.headers["Authorization"] == f"Bearer {KEY.server_key(SERVER)}"


async def test_server_receives_the_identity_of_the_caller() -> None:
    answer = await Site().endpoint.answer(asked(bearer(token("alice", "demo-users", "b"))), SERVER)
    assert (answer.headers["X-Auth-Subject"], answer.headers["X-Auth-Groups"]) == (
        "alice",
        "b,demo-users",
    )


async def test_request_without_a_token_is_rejected_with_a_challenge() -> None:
    answer = await Site().endpoint.answer(asked(), SERVER)
    assert answer.verdict.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="roadstead"'


async def test_expired_token_is_rejected_with_its_reason() -> None:
    old = token(iat=tokens.NOW - 900, exp=tokens.NOW - 300)
    answer = await Site().endpoint.answer(asked(bearer(old)), SERVER)
    assert answer.verdict.status == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="roadstead", error="invalid_token", '
        'error_description="the token expired 300 s ago; get a new one"'
    )


async def test_revoked_subject_is_denied_in_the_next_request() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.tokens.revoked.add("alice")
    site.tokens.changes += 1
    assert await verdict(site, bearer(token())) == (403, "TokenRevoked")


async def test_token_of_another_key_is_rejected() -> None:
    forged = tokens.signed(tokens.claims(groups=["demo-users"]), private=b"o" * 48)
    assert await verdict(Site(), bearer(forged)) == (401, "TokenSignature")


async def test_token_in_x_api_key_is_judged_as_one_in_authorization() -> None:
    site = Site()
    assert await verdict(site, ("X-Api-Key", token()), path="/v1/messages") == (200, "Allowed")
    assert await verdict(site, ("X-Api-Key", token("bob", "others"))) == (403, "NotAuthorized")
    assert (await verdict(site, ("X-Api-Key", "a.b.c")))[0] == 401


async def test_different_tokens_in_both_headers_are_rejected() -> None:
    shown = bearer(token()), ("X-Api-Key", token("bob", "others"))
    assert await verdict(Site(), *shown) == (400, "CredentialsDiffer")


async def test_rejection_without_a_token_names_both_headers() -> None:
    answer = await Site().endpoint.answer(asked(), SERVER)
    assert "Authorization" in error(answer)["message"]
    assert "X-Api-Key" in error(answer)["message"]


async def test_member_of_another_group_is_denied() -> None:
    assert await verdict(Site(), bearer(token("bob", "others"))) == (403, "NotAuthorized")


async def test_missing_server_and_server_of_others_get_the_same_answer() -> None:
    site, bob = Site(), bearer(token("bob", "others"))
    theirs = await site.endpoint.answer(asked(bob), SERVER)
    nobodys = await site.endpoint.answer(asked(bob, server=OTHER), OTHER)
    assert (theirs.verdict.status, theirs.headers, theirs.body) == (
        nobodys.verdict.status,
        nobodys.headers,
        nobodys.body,
    )


async def test_rejection_without_a_valid_token_reveals_nothing_of_servers() -> None:
    site, junk = Site(), bearer("a.b.c")
    known = await site.endpoint.answer(asked(junk), SERVER)
    unknown = await site.endpoint.answer(asked(junk, server=OTHER), OTHER)
    assert (known.verdict.status, known.body) == (401, unknown.body)


async def test_error_has_the_form_of_the_openai_api() -> None:
    answer = await Site().endpoint.answer(asked(bearer(token("bob", "others"))), SERVER)
    assert error(answer) == {
        "message": "this token is not valid for a server at this address; ask its owner which "
        "subject, group and scope its contract requires",
        "type": "permission_error",
        "param": None,
        "code": "AccessDenied",
    }


async def test_expired_contract_is_reported_to_its_callers() -> None:
    site = Site()
    site.put_contract(expiresAt="2020-01-01T00:00:00Z")
    answer = await site.endpoint.answer(asked(bearer(token())), SERVER)
    assert (answer.verdict.status, error(answer)["code"]) == (403, "ContractExpired")
    assert "2020-01-01T00:00:00Z" in error(answer)["message"]


async def test_other_callers_do_not_learn_that_a_contract_expired() -> None:
    site = Site()
    site.put_contract(expiresAt="2020-01-01T00:00:00Z")
    assert await verdict(site, bearer(token("bob", "others"))) == (403, "NotAuthorized")


async def test_contract_expires_between_two_requests() -> None:
    site = Site()
    site.put_contract(expiresAt=(NOW + datetime.timedelta(seconds=5)).isoformat())
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.now = NOW + datetime.timedelta(seconds=5)
    assert await verdict(site, bearer(token())) == (403, "ContractExpired")


async def test_token_expires_between_two_requests() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.now = NOW + datetime.timedelta(seconds=541 + 30)
    assert await verdict(site, bearer(token())) == (401, "TokenExpired")


async def test_changed_contract_applies_to_the_next_request() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.put_contract(authorization={"groups": ["admins"]})
    assert await verdict(site, bearer(token())) == (403, "NotAuthorized")


async def test_callers_of_a_deleted_contract_are_denied() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.servers.remove(RESOURCECONTRACTS, ("", "demo"))
    assert await verdict(site, bearer(token())) == (403, "NoContract")


async def test_label_of_a_namespace_applies_to_the_next_request() -> None:
    site = Site()
    site.put_contract(namespaces={"selector": {"matchLabels": {"team": "a"}}})
    assert await verdict(site, bearer(token())) == (403, "NamespaceNotCovered")
    site.put_namespace(team="a")
    assert await verdict(site, bearer(token())) == (200, "Allowed")


async def test_scope_is_required() -> None:
    site = Site()
    site.put_contract(authorization={"groups": ["demo-users"], "scopes": ["chat"]})
    assert await verdict(site, bearer(token())) == (403, "NotAuthorized")
    assert await verdict(site, bearer(token(scope="chat"))) == (200, "Allowed")


async def test_deleted_server_is_as_unknown_as_one_that_never_existed() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.servers.remove(MODELSERVES, ("demo", "gemma"))
    assert await verdict(site, bearer(token())) == (403, "ServerUnknown")


async def test_server_that_is_being_deleted_is_not_found() -> None:
    site = Site()
    site.put_server(deletionTimestamp="2030-01-01T00:00:00Z")
    assert await verdict(site, bearer(token())) == (404, "ServerDeleting")


async def test_without_admission_every_valid_token_passes() -> None:
    site = Site(contracts=False)
    site.put_server(contract="")
    assert await verdict(site, bearer(token("bob", "others"))) == (200, "Allowed")


async def test_without_admission_a_token_is_still_needed() -> None:
    assert await verdict(Site(contracts=False)) == (401, "TokenMissing")


async def test_cached_verdict_needs_no_verification() -> None:
    site = Site()
    for _ in range(3):
        assert await verdict(site, bearer(token())) == (200, "Allowed")
    assert site.tokens.asked == 1


async def test_changed_status_keeps_cached_verdicts() -> None:
    site = Site()
    await verdict(site, bearer(token()))
    site.put_server(status={"phase": "Ready"})
    site.put_contract(status={"used": {"servers": 1}})
    await verdict(site, bearer(token()))
    assert site.tokens.asked == 1


async def test_cached_verdict_is_not_used_for_another_server() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    answer = await site.endpoint.answer(asked(bearer(token()), server=OTHER), OTHER)
    assert answer.verdict.status == 403


async def test_requests_are_rejected_while_no_verdict_is_possible() -> None:
    site = Site()
    await verdict(site, bearer(token()))
    site.wrong = ("Stale", "not heard for too long")
    answer = await site.endpoint.answer(asked(bearer(token())), SERVER)
    assert (answer.verdict.status, answer.verdict.reason) == (503, "Stale")
    assert answer.headers["Retry-After"] == "5"


async def test_token_in_the_query_is_ignored() -> None:
    path = f"{CHAT}?access_token={token()}"
    assert await verdict(Site(), path=path) == (401, "TokenMissing")


async def test_unexpected_error_rejects_the_request() -> None:
    site = Site()
    site.tokens.verify = None  # type: ignore[method-assign, assignment] # any defect
    assert await verdict(site, bearer(token())) == (500, "InternalError")


_NAMES = st.sampled_from(
    [
        "Authorization",
        "authorization",
        "X-Api-Key",
        "Cookie",
        "Origin",
        "Sec-Fetch-Site",
        "X-Forwarded-Method",
        "X-Forwarded-Uri",
        "X_Forwarded_Uri",
        "X-Auth-Subject",
    ]
)
_VALUES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "a.b.c",
            "Bearer",
            "Bearer ",
            "Bearer a.b.c",
            f"/{SERVER}",
            "GET",
            ORIGIN,
            f"{COOKIE}=x",
            "null",
        ]
    ),
)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=8))
async def test_any_headers_without_a_token_are_rejected(headers: Pairs) -> None:
    answer = await Site().endpoint.answer(CIMultiDict(headers), SERVER)
    assert answer.verdict.status in (400, 401, 403)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))
async def test_any_headers_with_an_uncovered_token_are_denied(headers: Pairs) -> None:
    shown = asked(bearer(token("bob", "others")), *headers)
    answer = await Site().endpoint.answer(shown, SERVER)
    assert answer.verdict.status in (400, 401, 403)


async def test_answers_do_not_contain_the_token() -> None:
    shown = token("bob", "others")
    answer = await Site().endpoint.answer(asked(bearer(shown)), SERVER)
    assert shown not in str(dataclasses.asdict(answer))
