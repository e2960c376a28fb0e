"""Verifies tokens: the only way from text to Claims."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from roadstead.errors import InvalidKey, InvalidToken
from roadstead.tokens.claims import ClaimNames, Claims, check_times, read_claims
from roadstead.tokens.keys import Algorithm, Key, KeyLookup, KeySet, secret_key
from roadstead.tokens.parsing import UntrustedToken, parse
from roadstead.tokens.prefixes import NO_PREFIXES, NamePrefixes, Prefixer, shared_prefixes

LEEWAY_SECONDS: Final = 30
MAX_LIFETIME_SECONDS: Final = 5700
"""Access tokens of Entra ID and Keycloak last up to 90 minutes and start five minutes earlier."""
MAX_TRIED: Final = 8
"""Keys that a token without a key id is verified with: it may be any key of its issuer."""

Revoked = Callable[[Claims], str | None]
"""Returns why an otherwise valid token is refused, or None."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Issuer:
    """A trusted issuer; `name` is `iss`, and its keys verify only its own tokens."""

    name: str
    audience: str
    keys: KeyLookup = dataclasses.field(repr=False)
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    scopes_claim: str = "scope"
    issued_at_required: bool = True
    max_lifetime: int | None = None
    """In seconds; None for the verifier's default."""
    prefixes: NamePrefixes = NO_PREFIXES
    """The prefixes of subjects, groups and scopes of its tokens."""
    more_audiences: frozenset[str] = frozenset()

    @property
    def audiences(self) -> frozenset[str]:
        """The audiences, one of which must be in a token's `aud`."""
        return self.more_audiences | {self.audience}

    @property
    def claim_names(self) -> ClaimNames:
        """The names of the claims that are read from its tokens."""
        return ClaimNames(
            subject=self.subject_claim,
            groups=self.groups_claim,
            scopes=self.scopes_claim,
            issued_at_required=self.issued_at_required,
        )


class TokenVerifier:
    """Verifies callers' tokens of several issuers.

    `leeway` is for clocks that differ, `max_lifetime` the maximum from `iat` to `exp`, both in
    seconds.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        leeway: int = LEEWAY_SECONDS,
        max_lifetime: int = MAX_LIFETIME_SECONDS,
        revoked: Revoked | None = None,
    ) -> None:
        every = tuple(issuers)
        self._issuers = {issuer.name: issuer for issuer in every}
        if len(self._issuers) != len(every):
            raise InvalidKey("two issuers have the same name (iss)")
        self._prefixers = _prefixers(every)
        self._leeway = leeway
        self._max_lifetime = max_lifetime
        self._revoked = revoked

    def verify(self, token: str, *, now: int) -> Claims:
        """Return the claims of `token` if it is valid at `now` (seconds since 1970).

        Subject, groups and scopes have the issuer's prefixes.
        Raises only InvalidToken, whose message never quotes the token. Takes about 0.1 ms.
        """
        untrusted = parse(token)
        issuer = self.issuer_of(untrusted)
        _check_signature(untrusted, issuer.keys)
        # From here on, the claims are authentic.
        claims = read_claims(untrusted.claims, issuer.claim_names)
        if issuer.audiences.isdisjoint(claims.audience):
            message = f"the token's audience (aud) is not {' or '.join(sorted(issuer.audiences))}"
            raise InvalidToken(message, reason="TokenAudience")
        check_times(
            untrusted.claims,
            now=now,
            leeway=self._leeway,
            max_lifetime=issuer.max_lifetime or self._max_lifetime,
            issued_at_required=issuer.issued_at_required,
        )
        claims = self._prefixers[issuer.name].apply(claims)
        if self._revoked and (why := self._revoked(claims)):
            raise InvalidToken(why, reason="TokenRevoked")
        return claims

    def issuer_of(self, untrusted: UntrustedToken) -> Issuer:
        """Return the issuer of an unverified token; raises InvalidToken if it isn't trusted."""
        name = untrusted.claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            message = "the token's issuer (iss) is missing or not trusted"
            raise InvalidToken(message, reason="TokenIssuer")
        return issuer


def _prefixers(issuers: Iterable[Issuer]) -> dict[str, Prefixer]:
    """Return a Prefixer for each issuer; raises InvalidKey if two issuers share a prefix."""
    prefixes = {issuer.name: issuer.prefixes for issuer in issuers}
    if faults := list(shared_prefixes(prefixes)):
        raise InvalidKey("; ".join(faults))
    return {
        name: Prefixer(own, (each for other, each in prefixes.items() if other != name))
        for name, own in prefixes.items()
    }


def _check_signature(untrusted: UntrustedToken, keys: KeyLookup) -> None:
    algorithm = untrusted.header["alg"]
    if algorithm not in frozenset(Algorithm):
        message = f"the token's algorithm (alg) is not one of {', '.join(Algorithm)}"
        raise InvalidToken(message, reason="TokenAlgorithm")
    matching_keys = keys.with_id(untrusted.key_id)
    if not matching_keys:
        raise _key_unknown(untrusted.key_id)
    check_signed_by(matching_keys, untrusted)


def check_signed_by(keys: Sequence[Key], untrusted: UntrustedToken) -> None:
    """Raise InvalidToken unless one of `keys`, with its own algorithm, signed the token."""
    fitting = [key for key in keys if key.algorithm == untrusted.header["alg"]]
    if not fitting:
        algorithms = ", ".join(sorted({key.algorithm for key in keys}))
        message = f"the token is not signed with the algorithm of its key ({algorithms})"
        raise InvalidToken(message, reason="TokenAlgorithm")
    if len(fitting) > MAX_TRIED:
        message = f"the token has no key id (kid), and its issuer has more than {MAX_TRIED} keys"
        raise InvalidToken(message, reason="TokenKeyUnknown")
    if not any(key.verifies(untrusted.signing_input, untrusted.signature) for key in fitting):
        raise InvalidToken("the token's signature does not match", reason="TokenSignature")


def _key_unknown(kid: str) -> InvalidToken:
    if kid:
        message = "the token's issuer has no key with the token's key id (kid)"
    else:
        message = "the token's issuer has no key yet"
    return InvalidToken(message, reason="TokenKeyUnknown")


def verify(
    token: str,
    key: bytes,
    *,
    audience: str,
    issuer: str,
    now: datetime.datetime,
    max_lifetime: datetime.timedelta,
) -> Claims:
    """Return the claims of a token that is valid at `now` and signed with the HS256 secret `key`.

    Raises InvalidToken, whose message never quotes the token.
    """
    keys = KeySet.of([secret_key(key)])
    verifier = TokenVerifier(
        [Issuer(name=issuer, audience=audience, keys=keys)],
        max_lifetime=int(max_lifetime.total_seconds()),
    )
    return verifier.verify(token, now=int(now.timestamp()))
