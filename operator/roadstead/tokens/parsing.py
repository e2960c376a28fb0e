"""Taking a token apart before anything in it is trusted: shape, size, encoding."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from roadstead.errors import InvalidToken
from roadstead.tokens.strictjson import loads_object

MAX_TOKEN_BYTES: Final = 16 * 1024
TOKEN_TYPES: Final = frozenset({"", "jwt", "at+jwt"})
"""What `typ` may say of a caller's token: nothing, RFC 7519's JWT or RFC 9068's access token."""
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._~:/?#@!$&()*,;=+%-]{1,256}")
"""Issuers use hashes in base64, paths and URLs; nothing is ever looked up by it but a key."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UntrustedToken:
    """A token's parts, of which nothing is verified; kept out of every repr."""

    header: Mapping[str, Any] = dataclasses.field(repr=False)
    claims: Mapping[str, Any] = dataclasses.field(repr=False)
    signing_input: bytes = dataclasses.field(repr=False)
    signature: bytes = dataclasses.field(repr=False)

    @property
    def key_id(self) -> str:
        """`kid`, empty without one; it serves as the key of a dict and for nothing else."""
        return str(self.header.get("kid", ""))


def parse(
    token: str, *, types: frozenset[str] = TOKEN_TYPES, limit: int = MAX_TOKEN_BYTES
) -> UntrustedToken:
    """A compact JWS (RFC 7515, 7.1) of one of `types`; raises InvalidToken that quotes nothing.

    `limit` is in bytes, `types` in lower case without `application/`.
    """
    if len(token) > limit:
        message = f"the token has {len(token)} characters; {limit} are the most"
        raise InvalidToken(message, reason="TokenTooLarge")
    segments = token.split(".")
    if len(segments) != 3:
        raise _malformed("the token is not three parts with dots between them")
    header = _json("header", segments[0])
    _check_header(header, types)
    return UntrustedToken(
        header=header,
        claims=_json("claims", segments[1]),
        signing_input=f"{segments[0]}.{segments[1]}".encode("ascii"),
        signature=_decoded("signature", segments[2]),
    )


def valid_key_id(kid: object) -> bool:
    """Whether `kid` is short text without a quote, a bracket or a blank."""
    return isinstance(kid, str) and _KEY_ID.fullmatch(kid) is not None


def _check_header(header: Mapping[str, Any], types: frozenset[str]) -> None:
    if not isinstance(header.get("alg"), str):
        raise InvalidToken("the header names no algorithm (alg)", reason="TokenAlgorithm")
    if "crit" in header or "b64" in header:
        # RFC 7515, 4.1.11: what is critical and not understood must be refused.
        raise _malformed("the header asks for extensions (crit, b64) that are not supported")
    if "kid" in header and not valid_key_id(header["kid"]):
        raise _malformed("the header's key id (kid) is not of letters, digits and signs of URLs")
    kind = header.get("typ", "")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise _malformed("the header's type (typ) is another than a token's here")


def _json(part: str, segment: str) -> dict[str, Any]:
    try:
        return loads_object(_decoded(part, segment))
    except ValueError as error:
        raise _malformed(f"the token's {part} {error}") from None


def _decoded(part: str, segment: str) -> bytes:
    """Base64url without padding (RFC 7515, 2), in its one canonical form."""
    if not _BASE64URL.fullmatch(segment) or len(segment) % 4 == 1:
        raise _malformed(f"the token's {part} is not base64url")
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != segment:
        raise _malformed(f"the token's {part} is not base64url")
    return data


def _malformed(message: str) -> InvalidToken:
    return InvalidToken(message, reason="TokenMalformed")
