"""Questions and their answers, HTTP apart."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from roadstead.kube.resources import MODELSERVES, RESOURCECONTRACTS
from roadstead_webhooks.forwardauth.auth_responses import AuthResponse
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
    """The error as a client of the OpenAI API reads it."""
    found: dict[str, Any] = json.loads(answer.body)["error"]
    return found


async def test_holder_of_a_token_of_the_contract_passes() -> None:
    assert await verdict(Site(), bearer(token())) == (200, "Allowed")


async def test_callers_token_is_replaced_by_the_servers_key() -> None:
    answer = await Site().endpoint.answer(asked(bearer(token())), SERVER)
    assert answer.headers["Authorization"] == f"Bearer {KEY.server_key(SERVER)}"


async def test_caller_is_named_to_the_server() -> None:
    answer = await Site().endpoint.answer(asked(bearer(token("alice", "demo-users", "b"))), SERVER)
    assert (answer.headers["X-Auth-Subject"], answer.headers["X-Auth-Groups"]) == (
        "alice",
        "b,demo-users",
    )


async def test_request_without_a_token_is_asked_for_one() -> None:
    answer = await Site().endpoint.answer(asked(), SERVER)
    assert answer.verdict.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="roadstead"'


async def test_expired_token_is_named_as_what_is_wrong() -> None:
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


async def test_token_of_another_key_is_refused() -> None:
    forged = tokens.signed(tokens.claims(groups=["demo-users"]), private=b"o" * 48)
    assert await verdict(Site(), bearer(forged)) == (401, "TokenSignature")


async def test_token_in_x_api_key_is_judged_as_one_in_authorization() -> None:
    site = Site()
    assert await verdict(site, ("X-Api-Key", token()), path="/v1/messages") == (200, "Allowed")
    assert await verdict(site, ("X-Api-Key", token("bob", "others"))) == (403, "NotAuthorized")
    assert (await verdict(site, ("X-Api-Key", "a.b.c")))[0] == 401


async def test_token_beside_another_one_in_x_api_key_is_refused() -> None:
    shown = bearer(token()), ("X-Api-Key", token("bob", "others"))
    assert await verdict(Site(), *shown) == (400, "CredentialsDiffer")


async def test_request_without_a_token_is_told_both_headers() -> None:
    answer = await Site().endpoint.answer(asked(), SERVER)
    assert "Authorization" in error(answer)["message"]
    assert "X-Api-Key" in error(answer)["message"]


async def test_member_of_another_group_is_denied() -> None:
    assert await verdict(Site(), bearer(token("bob", "others"))) == (403, "NotAuthorized")


async def test_server_that_is_not_there_and_one_of_others_get_the_same_answer() -> None:
    site, bob = Site(), bearer(token("bob", "others"))
    theirs = await site.endpoint.answer(asked(bob), SERVER)
    nobodys = await site.endpoint.answer(asked(bob, server=OTHER), OTHER)
    assert (theirs.verdict.status, theirs.headers, theirs.body) == (
        nobodys.verdict.status,
        nobodys.headers,
        nobodys.body,
    )


async def test_without_a_valid_token_nothing_is_said_of_servers() -> None:
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


async def test_contract_that_ended_is_told_to_those_it_was_for() -> None:
    site = Site()
    site.put_contract(expiresAt="2020-01-01T00:00:00Z")
    answer = await site.endpoint.answer(asked(bearer(token())), SERVER)
    assert (answer.verdict.status, error(answer)["code"]) == (403, "ContractExpired")
    assert "2020-01-01T00:00:00Z" in error(answer)["message"]


async def test_contract_that_ended_is_not_told_to_others() -> None:
    site = Site()
    site.put_contract(expiresAt="2020-01-01T00:00:00Z")
    assert await verdict(site, bearer(token("bob", "others"))) == (403, "NotAuthorized")


async def test_contract_ends_between_two_requests() -> None:
    site = Site()
    site.put_contract(expiresAt=(NOW + datetime.timedelta(seconds=5)).isoformat())
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.now = NOW + datetime.timedelta(seconds=5)
    assert await verdict(site, bearer(token())) == (403, "ContractExpired")


async def test_token_ends_between_two_requests() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.now = NOW + datetime.timedelta(seconds=541 + 30)
    assert await verdict(site, bearer(token())) == (401, "TokenExpired")


async def test_contract_that_changes_counts_in_the_next_request() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.put_contract(authorization={"groups": ["admins"]})
    assert await verdict(site, bearer(token())) == (403, "NotAuthorized")


async def test_contract_that_goes_closes_its_servers() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.servers.remove(RESOURCECONTRACTS, ("", "demo"))
    assert await verdict(site, bearer(token())) == (403, "NoContract")


async def test_label_of_a_namespace_counts_in_the_next_request() -> None:
    site = Site()
    site.put_contract(namespaces={"selector": {"matchLabels": {"team": "a"}}})
    assert await verdict(site, bearer(token())) == (403, "NamespaceNotCovered")
    site.put_namespace(team="a")
    assert await verdict(site, bearer(token())) == (200, "Allowed")


async def test_scope_is_asked_for() -> None:
    site = Site()
    site.put_contract(authorization={"groups": ["demo-users"], "scopes": ["chat"]})
    assert await verdict(site, bearer(token())) == (403, "NotAuthorized")
    assert await verdict(site, bearer(token(scope="chat"))) == (200, "Allowed")


async def test_server_that_is_deleted_is_as_unknown_as_one_that_never_was() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.servers.remove(MODELSERVES, ("demo", "gemma"))
    assert await verdict(site, bearer(token())) == (403, "ServerUnknown")


async def test_server_that_is_being_deleted_is_not_found() -> None:
    site = Site()
    site.put_server(deletionTimestamp="2030-01-01T00:00:00Z")
    assert await verdict(site, bearer(token())) == (404, "ServerDeleting")


async def test_without_admission_every_token_that_holds_passes() -> None:
    site = Site(contracts=False)
    site.put_server(contract="")
    assert await verdict(site, bearer(token("bob", "others"))) == (200, "Allowed")


async def test_without_admission_a_token_is_still_needed() -> None:
    assert await verdict(Site(contracts=False)) == (401, "TokenMissing")


async def test_what_was_told_once_is_told_again_without_verifying() -> None:
    site = Site()
    for _ in range(3):
        assert await verdict(site, bearer(token())) == (200, "Allowed")
    assert site.tokens.asked == 1


async def test_what_is_written_into_status_leaves_verdicts_as_they_are() -> None:
    site = Site()
    await verdict(site, bearer(token()))
    site.put_server(status={"phase": "Ready"})
    site.put_contract(status={"used": {"servers": 1}})
    await verdict(site, bearer(token()))
    assert site.tokens.asked == 1


async def test_verdict_of_one_server_is_not_told_for_another() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    answer = await site.endpoint.answer(asked(bearer(token()), server=OTHER), OTHER)
    assert answer.verdict.status == 403


async def test_nobody_passes_while_nothing_is_known() -> None:
    site = Site()
    await verdict(site, bearer(token()))
    site.wrong = ("Stale", "not heard for too long")
    answer = await site.endpoint.answer(asked(bearer(token())), SERVER)
    assert (answer.verdict.status, answer.verdict.reason) == (503, "Stale")
    assert answer.headers["Retry-After"] == "5"


async def test_token_in_the_query_is_not_looked_for() -> None:
    path = f"{CHAT}?access_token={token()}"
    assert await verdict(Site(), path=path) == (401, "TokenMissing")


async def test_defect_lets_nobody_pass() -> None:
    site = Site()
    site.tokens.verify = None  # type: ignore[method-assign, assignment] # stands for any defect
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
async def test_no_headers_without_a_token_pass_or_break_it(headers: Pairs) -> None:
    answer = await Site().endpoint.answer(CIMultiDict(headers), SERVER)
    assert answer.verdict.status in (400, 401, 403)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))
async def test_no_headers_of_a_stranger_make_his_token_pass(headers: Pairs) -> None:
    shown = asked(bearer(token("bob", "others")), *headers)
    answer = await Site().endpoint.answer(shown, SERVER)
    assert answer.verdict.status in (400, 401, 403)


async def test_answers_do_not_hold_the_token() -> None:
    shown = token("bob", "others")
    answer = await Site().endpoint.answer(asked(bearer(shown)), SERVER)
    assert shown not in str(dataclasses.asdict(answer))
