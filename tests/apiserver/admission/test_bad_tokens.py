"""Invalid tokens in requests to the real API server."""

from __future__ import annotations

import base64
import datetime
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import call, create, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import (
    RECEIPT,
    TOKEN,
    contract_for,
    dev_token,
    with_annotations,
    with_token,
)
from tests.support.webhooks.webhook_process import AUDIENCE, RSA_ISSUER, RSA_PREFIX, SYSTEM, Folder

Make = Callable[[Folder], str]


def _now() -> int:
    return int(datetime.datetime.now(datetime.UTC).timestamp())


def _rsa_claims(**changes: Any) -> dict[str, Any]:
    now = _now()
    return {
        "iss": RSA_ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "groups": ["demo-users"],
        "iat": now,
        "exp": now + 600,
        **changes,
    }


def _rsa(folder: Folder, *, kid: str = "first", **changes: Any) -> str:
    headers = {"kid": kid}
    return jwt.encode(_rsa_claims(**changes), folder.rsa_key, algorithm="RS256", headers=headers)


def _part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(folder: Folder, header: Any, claims: Any, *, secret: bytes = b"") -> str:
    """Sign any header and payload with HS256, which libraries refuse."""
    signing_input = f"{_part(header)}.{_part(claims)}"
    signature = hmac.digest(secret or folder.secret, signing_input.encode(), "sha256")
    return f"{signing_input}.{_part(signature)}"


def _dev_claims(folder: Folder) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        dev_token(folder), folder.secret, algorithms=["HS256"], audience=AUDIENCE
    )
    return claims


HS256 = {"alg": "HS256", "typ": "JWT"}

BAD: dict[str, tuple[Make, str]] = {
    "alg none": (lambda f: jwt.encode(_dev_claims(f), "", algorithm="none"), "TokenAlgorithm"),
    "HS256 signed with the RSA public key": (
        lambda f: _signed(f, {**HS256, "kid": "first"}, _rsa_claims(), secret=f.rsa_public),
        "TokenAlgorithm",
    ),
    "another secret": (
        lambda f: _signed(f, HS256, _dev_claims(f), secret=b"x" * 32),
        "TokenSignature",
    ),
    "another audience": (lambda f: dev_token(f, aud="other"), "TokenAudience"),
    "another issuer": (lambda f: dev_token(f, iss="https://evil.example.com"), "TokenIssuer"),
    "another issuer's key": (lambda f: dev_token(f, iss=RSA_ISSUER), "TokenAlgorithm"),
    "expired by a second over the leeway": (
        lambda f: dev_token(f, iat=_now() - 600, exp=_now() - 31),
        "TokenExpired",
    ),
    "not valid yet": (lambda f: dev_token(f, nbf=_now() + 300), "TokenNotYetValid"),
    "no exp": (lambda f: dev_token(f, exp=None), "TokenClaims"),
    "a lifetime of a year": (lambda f: dev_token(f, exp=_now() + 31_536_000), "TokenClaims"),
    "no sub": (lambda f: dev_token(f, sub=None), "TokenSubject"),
    "an unknown kid": (lambda f: _rsa(f, kid="second"), "TokenKeyUnknown"),
    "a kid that is a path": (lambda f: _rsa(f, kid="../../etc/passwd"), "TokenKeyUnknown"),
    "a kid of SQL": (lambda f: _rsa(f, kid="' OR 1=1; --"), "TokenMalformed"),
    "bad base64": (lambda f: dev_token(f)[:-4] + "!!!!", "TokenMalformed"),
    "bad UTF-8": (lambda f: _signed(f, HS256, b'{"sub": "\xff\xfe"}'), "TokenMalformed"),
    "duplicate keys": (
        lambda f: _signed(f, HS256, b'{"sub": "a", "sub": "b"}'),
        "TokenMalformed",
    ),
    "a nested bomb": (lambda f: _signed(f, HS256, b"[" * 3000 + b"]" * 3000), "TokenMalformed"),
    "100 KiB": (lambda f: dev_token(f, padding="x" * 100_000), "TokenTooLarge"),
    "two tokens": (lambda f: f"{dev_token(f)},{dev_token(f)}", "TokenMalformed"),
    "a receipt as token": (
        lambda f: _signed(f, {**HS256, "typ": "roadstead-receipt+jwt"}, _dev_claims(f)),
        "TokenMalformed",
    ),
    "nothing": (lambda f: "", "TokenMalformed"),
    "not ASCII": (lambda f: "tökén.tökén.tökén", "TokenMalformed"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_token_is_denied_with_its_reason(
    api: client.ApiClient, namespace: str, contract: Raw, folder: Folder, name: str
) -> None:
    make, reason = BAD[name]
    token = make(folder)
    message = await refusal(create(api, with_token(make_modelserve(namespace), token)))
    assert f"denied the request: {reason}: " in message
    assert not token or token not in message


async def test_token_of_half_a_megabyte_is_denied(
    kubectl: Kubectl, namespace: str, contract: Raw, folder: Folder
) -> None:
    token = dev_token(folder, padding="x" * 400_000)
    manifest = json.dumps(with_token(make_modelserve(namespace), token))
    # The API server calls the webhooks before it checks its own limit of annotations.
    assert "TokenTooLarge" in kubectl("create", "-f", "-", manifest=manifest).stderr


async def test_rsa_token_of_the_second_issuer_is_valid_with_its_own_prefixes(
    api: client.ApiClient, namespace: str, admin: str, folder: Folder
) -> None:
    mine = {"groups": [f"{RSA_PREFIX}demo-users"]}
    await create(api, with_token(contract_for(namespace, authorization=mine), admin))
    stored = await create(api, with_token(make_modelserve(namespace), _rsa(folder)))
    receipt = jwt.decode(
        stored["metadata"]["annotations"][RECEIPT], options={"verify_signature": False}
    )
    assert (receipt["origin"], receipt["sub"]) == (RSA_ISSUER, f"{RSA_PREFIX}alice")


@pytest.mark.parametrize("names", [{"subjects": ["alice"]}, {"groups": ["demo-users"]}])
async def test_second_issuer_cannot_use_names_of_the_first(
    api: client.ApiClient, namespace: str, admin: str, folder: Folder, names: Raw
) -> None:
    agreed = contract_for(namespace, authorization=names)
    await create(api, with_token(agreed, admin))
    forged = _rsa(folder, groups=["demo-users", "roadstead-admins"])
    body = with_token(make_modelserve(namespace), forged)
    assert f"{RSA_PREFIX}alice" in await refusal(create(api, body))
    changed = with_token(contract_for(namespace, authorization=names), forged)
    assert "NotAuthorized" in await refusal(create(api, changed))


async def test_first_issuer_cannot_use_names_of_the_second(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    body = with_token(make_modelserve(namespace), token("alice", f"{RSA_PREFIX}demo-users"))
    assert "TokenForeignName" in await refusal(create(api, body))


@pytest.mark.parametrize(
    "annotation",
    ["auth-token", "model.example.com/token", "model.example.com/Auth-Token", "example.com/note"],
)
async def test_token_in_a_wrong_annotation_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, annotation: str
) -> None:
    given = token()
    body = with_annotations(make_modelserve(namespace), {annotation: given, TOKEN: token()})
    message = await refusal(create(api, body))
    assert "TokenMisplaced" in message
    assert TOKEN in message
    assert given not in message


async def test_token_in_the_spec_is_denied(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    config = {"podAnnotations": {"example.com/note": token()}}
    body = with_token(make_modelserve(namespace, config=config), token())
    assert "TokenMisplaced" in await refusal(create(api, body))


async def test_token_in_the_receipt_annotation_is_replaced(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    given = token()
    body = with_annotations(with_token(make_modelserve(namespace), token()), {RECEIPT: given})
    stored = await create(api, body)
    assert stored["metadata"]["annotations"][RECEIPT] != given


async def test_revoked_subject_is_denied_within_seconds(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken
) -> None:
    revoked = {
        "metadata": {"name": "roadstead-revocations"},
        "data": {"sub": "mallory", "jti": "7"},
    }
    await call(api, "POST", f"/api/v1/namespaces/{SYSTEM}/configmaps", revoked)

    async def denied() -> bool:
        body = make_modelserve(namespace)
        reasons = [
            await refusal(create(api, with_token(body, token("mallory"))), allowed=""),
            await refusal(create(api, with_token(body, token("alice", jti="7"))), allowed=""),
        ]
        return all("TokenRevoked" in each for each in reasons)

    await assert_eventually(denied)
    await create(api, with_token(make_modelserve(namespace), token()))
