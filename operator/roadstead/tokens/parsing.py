"""Parses a token before anything in it is trusted: form, size, encoding."""

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
"""Allowed values of `typ`: none, RFC 7519's JWT or RFC 9068's access token."""
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._~:/?#@!$&()*,;=+%-]{1,256}")
"""Issuers use hashes in base64, paths and URLs; it only ever identifies a key."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UntrustedToken:
    """A token's parts, none of them verified; never in a repr."""

    header: Mapping[str, Any] = dataclasses.field(repr=False)
    claims: Mapping[str, Any] = dataclasses.field(repr=False)
    signing_input: bytes = dataclasses.field(repr=False)
    signature: bytes = dataclasses.field(repr=False)

    @property
    def key_id(self) -> str:
        """`kid`, or ""; only used as the key of a dict."""
        return str(self.header.get("kid", ""))


def parse(
    token: str, *, types: frozenset[str] = TOKEN_TYPES, limit: int = MAX_TOKEN_BYTES
) -> UntrustedToken:
    """Parse a compact JWS (RFC 7515, 7.1); raises InvalidToken, which never quotes the token.

    `limit` is in bytes, `types` in lower case without `application/`.
    """
    if len(token) > limit:
        message = f"the token has {len(token)} characters; at most {limit} are allowed"
        raise InvalidToken(message, reason="TokenTooLarge")
    segments = token.split(".")
    if len(segments) != 3:
        raise _malformed("the token does not have three parts that are separated by dots")
    header = _parse_json("header", segments[0])
    _check_header(header, types)
    return UntrustedToken(
        header=header,
        claims=_parse_json("claims", segments[1]),
        signing_input=f"{segments[0]}.{segments[1]}".encode("ascii"),
        signature=_decode("signature", segments[2]),
    )


def valid_key_id(kid: object) -> bool:
    """Whether `kid` is short text without quotes, brackets and blanks."""
    return isinstance(kid, str) and _KEY_ID.fullmatch(kid) is not None


def _check_header(header: Mapping[str, Any], types: frozenset[str]) -> None:
    if not isinstance(header.get("alg"), str):
        raise InvalidToken("the header has no algorithm (alg)", reason="TokenAlgorithm")
    if "crit" in header or "b64" in header:
        # RFC 7515, 4.1.11: unknown critical extensions must be refused.
        raise _malformed("the header requires extensions (crit, b64) that are not supported")
    if "kid" in header and not valid_key_id(header["kid"]):
        raise _malformed("the header's key id (kid) has characters other than those of URLs")
    kind = header.get("typ", "")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise _malformed("the header's type (typ) is not that of a token")


def _parse_json(part: str, segment: str) -> dict[str, Any]:
    try:
        return loads_object(_decode(part, segment))
    except ValueError as error:
        raise _malformed(f"the token's {part} {error}") from None


def _decode(part: str, segment: str) -> bytes:
    """Decode base64url without padding (RFC 7515, 2), in its canonical form only."""
    if not _BASE64URL.fullmatch(segment) or len(segment) % 4 == 1:
        raise _malformed(f"the token's {part} is not base64url")
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != segment:
        raise _malformed(f"the token's {part} is not base64url")
    return data


def _malformed(message: str) -> InvalidToken:
    return InvalidToken(message, reason="TokenMalformed")
