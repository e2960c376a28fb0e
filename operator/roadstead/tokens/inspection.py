"""Describes a token or receipt for users."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roadstead.errors import InvalidToken
from roadstead.tokens.keys import Key
from roadstead.tokens.parsing import TOKEN_TYPES, parse
from roadstead.tokens.receipts import MAX_RECEIPT_BYTES, RECEIPT_TYPES
from roadstead.tokens.verification import check_signed_by

_TIMES: Final = (("iat", "issued"), ("nbf", "valid from"), ("exp", "expires"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection:
    """A description; `is_valid` is False if the token has expired or its signature is invalid."""

    text: str
    is_valid: bool


def inspect(token: str, *, now: int, keys: Sequence[Key] = ()) -> Inspection:
    """Describe header, claims, times at `now` (seconds since 1970) and, with keys, the signature.

    Raises InvalidToken if the token is malformed. The audience is not checked.
    """
    types = TOKEN_TYPES | RECEIPT_TYPES
    untrusted = parse(token, types=types, limit=MAX_RECEIPT_BYTES)
    signature, is_signed = "not checked: no key given", True
    if keys:
        try:
            check_signed_by(keys, untrusted)
            signature = f"verified with {untrusted.header['alg']}"
        except InvalidToken as error:
            signature, is_signed = f"NOT VALID: {error}", False
    lines = [
        f"header: {_dump(untrusted.header)}",
        f"claims: {_dump(untrusted.claims)}",
        *_times(untrusted.claims, now),
        f"signature: {signature}",
    ]
    return Inspection(
        text="\n".join(lines), is_valid=is_signed and not _is_expired(untrusted.claims, now)
    )


def _times(claims: Mapping[str, Any], now: int) -> list[str]:
    return [_time(label, claims[name], now) for name, label in _TIMES if name in claims]


def _dump(value: Mapping[str, Any]) -> str:
    # ASCII: untrusted text must not control the terminal.
    return json.dumps(value, indent=2, ensure_ascii=True)


def _is_expired(claims: Mapping[str, Any], now: int) -> bool:
    expires = claims.get("exp")
    return isinstance(expires, int | float) and expires <= now


def _time(label: str, value: object, now: int) -> str:
    if not isinstance(value, int | float):
        return f"{label}: not a number of seconds"
    try:
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return f"{label}: out of range"
    distance = datetime.timedelta(seconds=abs(int(value) - now))
    when = f"in {distance}" if value > now else f"{distance} ago"
    past = " (EXPIRED)" if label == "expires" and value <= now else ""
    return f"{label}: {moment:%Y-%m-%dT%H:%M:%SZ}, {when}{past}"
