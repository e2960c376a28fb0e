"""Prefixes that distinguish the names of one issuer from those of the others.

They work like `claimMappings.username.prefix` and `claimMappings.groups.prefix` of the
kube-apiserver's AuthenticationConfiguration. Two more rules ensure that every name has one issuer:
no two issuers have the same prefix, and no issuer's names begin with a longer prefix of another.
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
    """The prefixes of the names of one issuer; empty: names are unchanged."""

    subject: str = ""
    groups: str = ""
    scopes: str = ""


NO_PREFIXES: Final = NamePrefixes()


def valid_prefix(text: object) -> bool:
    """Whether it is empty, or at most 64 characters that begin with a letter or digit."""
    return isinstance(text, str) and _PREFIX.fullmatch(text) is not None


def shared_prefixes(prefixes: Mapping[str, NamePrefixes]) -> Iterator[str]:
    """Return a message for each prefix that two issuers share."""
    for field, kind in PREFIX_FIELDS.items():
        seen: dict[str, str] = {}
        for issuer, each in prefixes.items():
            prefix = getattr(each, kind)
            if prefix in seen:
                yield (
                    f"issuers {seen[prefix]} and {issuer} have the same {field} {prefix!r}: "
                    "their names can't be distinguished; set different ones, such as 'partner:'"
                )
            seen[prefix] = issuer


class Prefixer:
    """Adds the prefixes of one issuer to the names in its tokens."""

    def __init__(self, own: NamePrefixes, others: Iterable[NamePrefixes]) -> None:
        every = tuple(others)
        self._own = own
        self._foreign = {
            kind: tuple(
                _longer_prefixes(getattr(own, kind), (getattr(each, kind) for each in every))
            )
            for kind in PREFIX_FIELDS.values()
        }

    def apply(self, claims: Claims) -> Claims:
        """Return claims with prefixed names; raises InvalidToken for a name of another issuer."""
        return dataclasses.replace(
            claims,
            subject=self._add_prefix("subject", claims.subject),
            groups=frozenset(self._add_prefix("groups", name) for name in claims.groups),
            scopes=frozenset(self._add_prefix("scopes", name) for name in claims.scopes),
        )

    def _add_prefix(self, kind: PrefixKind, name: str) -> str:
        prefixed = f"{getattr(self._own, kind)}{name}"
        if prefixed.startswith(self._foreign[kind]):
            message = f"a name in the token's {kind} begins with the prefix of another issuer"
            raise InvalidToken(message, reason="TokenForeignName")
        return prefixed


def _longer_prefixes(own: str, others: Iterable[str]) -> Iterator[str]:
    """Return the other prefixes that a name with the prefix `own` may begin with."""
    return (other for other in others if other != own and other.startswith(own))
