"""Settings of the trusted issuers: `ROADSTEAD_TOKEN_ISSUERS_FILE` and its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import InvalidSettings
from roadstead.issuers.cluster_keys import ClusterKeys
from roadstead.proxies import Proxy
from roadstead.settings import EnvReader
from roadstead.tokens.keys import Algorithm
from roadstead.tokens.parsing import valid_key_id
from roadstead.tokens.prefixes import (
    NO_PREFIXES,
    PREFIX_FIELDS,
    NamePrefixes,
    shared_prefixes,
    valid_prefix,
)
from roadstead.tokens.verification import LEEWAY_SECONDS, MAX_LIFETIME_SECONDS

KEY_FIELDS: Final = ("secretFile", "publicKeyFile", "jwksFile", "jwksUrl")
_TEXTS: Final = (
    *("issuer", "audience", *KEY_FIELDS),
    *("keyId", "caFile", "subjectClaim", "groupsClaim", "scopesClaim"),
)
FROM_CLUSTER: Final = "keysFromCluster"
_SWITCHES: Final = ("allowHttp", "allowMissingIat", FROM_CLUSTER)
_FIELDS: Final = frozenset(
    {*_TEXTS, *PREFIX_FIELDS, *_SWITCHES, "algorithms", "audiences", "maxLifetimeSeconds"}
)
MAX_LIFETIME_LIMIT: Final = 31 * 86_400
_REQUIRED_PREFIXES: Final = ("subjectPrefix", "groupsPrefix")
"""Required for each of several issuers; `scopesPrefix` defaults to the groups' prefix."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IssuerSettings:
    """One issuer; exactly one of the five sources of keys is set."""

    issuer: str
    audience: str
    secret_file: Path | None = None
    """The HS256 secret, at least 32 bytes."""
    public_key_file: Path | None = None
    jwks_file: Path | None = None
    jwks_url: str = ""
    keys_from_cluster: bool = False
    """Whether the issuer is this cluster, whose API server has the keys."""
    key_id: str = ""
    """The `kid` of the key in secret_file or public_key_file; if empty, tokens must have none."""
    algorithms: frozenset[str] = frozenset(Algorithm)
    more_audiences: frozenset[str] = frozenset()
    """Further audiences: a token must have `audience` or one of these."""
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    scopes_claim: str = "scope"
    issued_at_required: bool = True
    max_lifetime: int | None = None
    """In seconds; None for the maximum of all issuers."""
    prefixes: NamePrefixes = NO_PREFIXES
    ca_file: Path | None = None
    """PEM certificates to verify jwks_url with; None for the installation's authorities."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Settings for the verification of tokens; times are in seconds."""

    issuers: tuple[IssuerSettings, ...]
    leeway: int = LEEWAY_SECONDS
    max_lifetime: int = MAX_LIFETIME_SECONDS
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The authorities of issuers without a caFile."""
    proxy: Proxy | None = None
    """For the requests to issuers."""
    cluster: ClusterKeys | None = None
    """Where the keys of this cluster are read; None outside of a pod."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> TokenSettings:
        """Read the environment, then the issuers file.

        Raises InvalidSettings with all faults of the environment, or else all of the file.
        """
        env = EnvReader(environ)
        path = env.file("ROADSTEAD_TOKEN_ISSUERS_FILE")
        leeway = env.integer(
            "ROADSTEAD_TOKEN_LEEWAY_SECONDS", LEEWAY_SECONDS, low=0, high=LEEWAY_SECONDS * 10
        )
        lifetime = env.integer(
            "ROADSTEAD_TOKEN_MAX_LIFETIME_SECONDS", MAX_LIFETIME_SECONDS, high=MAX_LIFETIME_LIMIT
        )
        authorities, proxy = Authorities.read(env), Proxy.read(env, "TOKENS")
        cluster = ClusterKeys.read(env)
        env.done()
        issuers = read_issuers(path)
        if cluster is None and any(each.keys_from_cluster for each in issuers):
            raise InvalidSettings(f"{path}: {FROM_CLUSTER} works only in a pod")
        return cls(
            issuers=issuers,
            leeway=leeway,
            max_lifetime=lifetime,
            authorities=authorities,
            proxy=proxy,
            cluster=cluster,
        )


def read_issuers(path: Path) -> tuple[IssuerSettings, ...]:
    """Read the issuers of a YAML or JSON file; raises InvalidSettings with all faults."""
    try:
        text = path.read_text(encoding="utf-8")
        entries = yaml.safe_load(text)
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError):
        raise InvalidSettings(f"{path} is not YAML") from None
    if not isinstance(entries, list) or not entries:
        raise InvalidSettings(f"{path} is not a list of issuers")
    several = len({str(each.get("issuer")) for each in entries if isinstance(each, dict)}) > 1
    faults = [
        f"{path}, issuer {number}: {fault}"
        for number, entry in enumerate(entries, start=1)
        for fault in (*_faults(entry), *_prefix_faults(entry, several=several))
    ]
    if faults:
        raise InvalidSettings("; ".join(faults))
    issuers = tuple(_parse_issuer(entry, folder=path.parent) for entry in entries)
    if len({issuer.issuer for issuer in issuers}) != len(issuers):
        raise InvalidSettings(f"{path}: two entries have the same issuer")
    if shared := list(shared_prefixes({each.issuer: each.prefixes for each in issuers})):
        raise InvalidSettings("; ".join(f"{path}: {fault}" for fault in shared))
    return issuers


def _faults(entry: object) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "is not a mapping"
        return
    for name in sorted(str(name) for name in entry.keys() - _FIELDS):
        yield f"{name} is not a field; expected one of {', '.join(sorted(_FIELDS))}"
    for name in _TEXTS:
        if name in entry and not (isinstance(entry[name], str) and entry[name]):
            yield f"{name} is not text"
    for name in ("issuer", "audience"):
        if name not in entry:
            yield f"{name} is missing"
    if len(entry.keys() & set(KEY_FIELDS)) + (entry.get(FROM_CLUSTER) is True) != 1:
        yield f"exactly one of {', '.join((*KEY_FIELDS, FROM_CLUSTER))} must be set"
    for name in _SWITCHES:
        if not isinstance(entry.get(name, False), bool):
            yield f"{name} is not true or false"
    yield from _claim_faults(entry)
    yield from _key_faults(entry)


def _claim_faults(entry: Mapping[str, Any]) -> Iterator[str]:
    audiences = entry.get("audiences", ["more"])
    if not isinstance(audiences, list) or not all(isinstance(a, str) and a for a in audiences):
        yield "audiences is not a list of texts"
    lifetime = entry.get("maxLifetimeSeconds", MAX_LIFETIME_SECONDS)
    if type(lifetime) is not int or not 1 <= lifetime <= MAX_LIFETIME_LIMIT:
        yield f"maxLifetimeSeconds is not a number from 1 to {MAX_LIFETIME_LIMIT}"


def _key_faults(entry: Mapping[str, Any]) -> Iterator[str]:
    algorithms = entry.get("algorithms", ["HS256"])
    known = list(Algorithm)
    if (
        not isinstance(algorithms, list)
        or not algorithms
        or any(a not in known for a in algorithms)
    ):
        yield f"algorithms is not a list of {', '.join(known)}"
    if "keyId" in entry and not valid_key_id(entry["keyId"]):
        yield "invalid keyId: expected 1 to 256 letters, digits and characters of URLs"
    url = entry.get("jwksUrl")
    if isinstance(url, str) and not _is_usable(url, allow_http=entry.get("allowHttp") is True):
        yield (
            "jwksUrl is not a URL such as https://issuer.example.com/jwks.json (http requires "
            "allowHttp)"
        )


def _prefix_faults(entry: object, *, several: bool) -> Iterator[str]:
    if not isinstance(entry, dict):
        return
    for name in PREFIX_FIELDS:
        if name in entry and not valid_prefix(entry[name]):
            yield (
                f"invalid {name}: expected a text such as 'partner:', of at most 64 letters, "
                "digits and ._:/@#+=~- that begins with a letter or digit, or '' for none"
            )
    for name in _REQUIRED_PREFIXES if several else ():
        if name not in entry:
            yield (
                f"{name} is missing: with several issuers, each needs one to distinguish their "
                "names; set one such as 'partner:', and '' for at most one issuer"
            )


def _is_usable(url: str, *, allow_http: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    schemes = ("https", "http") if allow_http else ("https",)
    return parts.scheme in schemes and bool(parts.hostname) and parts.username is None


def _parse_issuer(entry: Mapping[str, Any], *, folder: Path) -> IssuerSettings:
    def file(name: str) -> Path | None:
        return folder / entry[name] if name in entry else None

    return IssuerSettings(
        issuer=entry["issuer"],
        audience=entry["audience"],
        secret_file=file("secretFile"),
        public_key_file=file("publicKeyFile"),
        jwks_file=file("jwksFile"),
        jwks_url=entry.get("jwksUrl", ""),
        keys_from_cluster=entry.get(FROM_CLUSTER, False),
        key_id=entry.get("keyId", ""),
        algorithms=frozenset(entry.get("algorithms", Algorithm)),
        more_audiences=frozenset(entry.get("audiences", ())),
        subject_claim=entry.get("subjectClaim", "sub"),
        groups_claim=entry.get("groupsClaim", "groups"),
        scopes_claim=entry.get("scopesClaim", "scope"),
        issued_at_required=not entry.get("allowMissingIat", False),
        max_lifetime=entry.get("maxLifetimeSeconds"),
        prefixes=_parse_prefixes(entry),
        ca_file=file("caFile"),
    )


def _parse_prefixes(entry: Mapping[str, Any]) -> NamePrefixes:
    groups = entry.get("groupsPrefix", "")
    return NamePrefixes(
        subject=entry.get("subjectPrefix", ""),
        groups=groups,
        scopes=entry.get("scopesPrefix", groups),
    )
