"""Prefixes that keep the names of one issuer apart from those of the others.

They work as `claimMappings.username.prefix` and `claimMappings.groups.prefix` of the
kube-apiserver's AuthenticationConfiguration do. Two more rules hold here, so that every name has
one issuer: no two issuers have the same prefix, and no issuer's names begin with a longer prefix
of another.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from roadstead.errors import InvalidToken
from roadstead.tokens.claims import Claims

PrefixKind = Literal["subject", "groups", "scopes"]
PREFIX_FIELDS: Final[Mapping[str, PrefixKind]] = {
    "subjectPrefix": "subject",
    "groupsPrefix": "groups",
    "scopesPrefix": "scopes",
}
"""The settings of an issuer, and the attributes of NamePrefixes."""
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:/@#+=~-]{0,63})?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamePrefixes:
    """What the names of one issuer are preceded by; empty: they stay as they are."""

    subject: str = ""
    groups: str = ""
    scopes: str = ""


NO_PREFIXES: Final = NamePrefixes()


def valid_prefix(text: object) -> bool:
    """Empty, or up to 64 characters that begin with a letter or digit, as in `partner:`."""
    return isinstance(text, str) and _PREFIX.fullmatch(text) is not None


def shared_prefixes(prefixes: Mapping[str, NamePrefixes]) -> Iterator[str]:
    """What is wrong with the prefixes of several issuers, by issuer: those that two have."""
    for field, kind in PREFIX_FIELDS.items():
        seen: dict[str, str] = {}
        for issuer, each in prefixes.items():
            prefix = getattr(each, kind)
            if prefix in seen:
                yield (
                    f"issuers {seen[prefix]} and {issuer} have the same {field} {prefix!r}: "
                    "their names could not be told apart; give each its own, such as 'partner:'"
                )
            seen[prefix] = issuer


class Prefixer:
    """Puts the prefixes of one issuer before the names in its tokens."""

    def __init__(self, own: NamePrefixes, others: Iterable[NamePrefixes]) -> None:
        every = tuple(others)
        self._own = own
        self._foreign = {
            kind: tuple(_longer(getattr(own, kind), (getattr(each, kind) for each in every)))
            for kind in PREFIX_FIELDS.values()
        }

    def apply(self, claims: Claims) -> Claims:
        """The claims with prefixed names; InvalidToken for a name that looks like another's."""
        return dataclasses.replace(
            claims,
            subject=self._prefixed("subject", claims.subject),
            groups=frozenset(self._prefixed("groups", name) for name in claims.groups),
            scopes=frozenset(self._prefixed("scopes", name) for name in claims.scopes),
        )

    def _prefixed(self, kind: PrefixKind, name: str) -> str:
        prefixed = f"{getattr(self._own, kind)}{name}"
        if prefixed.startswith(self._foreign[kind]):
            message = f"a name in the token's {kind} begins with the prefix of another issuer"
            raise InvalidToken(message, reason="TokenForeignName")
        return prefixed


def _longer(own: str, others: Iterable[str]) -> Iterator[str]:
    """The prefixes that a name with the prefix `own` can begin with besides."""
    return (other for other in others if other != own and other.startswith(own))
