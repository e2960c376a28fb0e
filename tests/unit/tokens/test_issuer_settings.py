"""The issuers file and the settings of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from roadstead.errors import InvalidSettings
from roadstead.issuers.issuer_settings import IssuerSettings, TokenSettings
from roadstead.tokens.keys import Algorithm
from roadstead.tokens.prefixes import NamePrefixes
from tests.support.builders.tokens import prefixes

GOOD = {"issuer": "i", "audience": "a", "secretFile": "/secret"}


def read(tmp_path: Path, entries: object, **environ: str) -> TokenSettings:
    """Return the settings of a file with `entries`."""
    path = tmp_path / "issuers.yaml"
    path.write_text(yaml.safe_dump(entries))
    return TokenSettings.from_env({"ROADSTEAD_TOKEN_ISSUERS_FILE": str(path), **environ})


def test_issuer_has_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path, [GOOD])
    assert settings.issuers == (
        IssuerSettings(issuer="i", audience="a", secret_file=Path("/secret")),
    )
    assert (settings.leeway, settings.max_lifetime) == (30, 5700)
    assert settings.issuers[0].algorithms == set(Algorithm)


def test_every_field_of_an_issuer_is_read(tmp_path: Path) -> None:
    entry = {
        "issuer": "i",
        "audience": "a",
        "jwksUrl": "http://127.0.0.1:1/jwks",
        "allowHttp": True,
        "algorithms": ["ES256"],
        "groupsClaim": "roles",
        "scopesClaim": "scp",
        "caFile": "/ca",
        "subjectPrefix": "partner:",
        "groupsPrefix": "partner-groups:",
        "scopesPrefix": "partner/",
    }
    assert read(tmp_path, [entry]).issuers[0] == IssuerSettings(
        issuer="i",
        audience="a",
        jwks_url="http://127.0.0.1:1/jwks",
        algorithms=frozenset({Algorithm.ES256}),
        groups_claim="roles",
        scopes_claim="scp",
        ca_file=Path("/ca"),
        prefixes=NamePrefixes(subject="partner:", groups="partner-groups:", scopes="partner/"),
    )


def test_relative_paths_are_relative_to_the_issuers_file(tmp_path: Path) -> None:
    issuer = read(tmp_path, [{**GOOD, "secretFile": "secret"}]).issuers[0]
    assert issuer.secret_file == tmp_path / "secret"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"issuer": None}, "issuer is not text"),
        ({"audience": ""}, "audience is not text"),
        ({"audience": ["a"]}, "audience is not text"),
        ({"publicKeyFile": "/key"}, "exactly one of"),
        ({"jwksURL": "https://x"}, "jwksURL is not a field"),
        ({"keyId": "a b"}, "keyId"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": "HS256"}, "algorithms"),
        ({"algorithms": [{}]}, "algorithms"),
        ({"allowHttp": "yes please"}, "allowHttp"),
        ({"subjectPrefix": None}, "invalid subjectPrefix"),
        ({"groupsPrefix": "p " * 4}, "invalid groupsPrefix"),
        ({"groupsPrefix": "a,b"}, "invalid groupsPrefix"),
        ({"subjectPrefix": "# "}, "invalid subjectPrefix"),
        ({"scopesPrefix": "p" * 65}, "invalid scopesPrefix"),
    ],
)
def test_invalid_field_is_named(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidSettings, match=fault):
        read(tmp_path, [{**GOOD, **changes}])


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer/jwks",
        "ftp://issuer",
        "https://",
        "jwks.json",
        "https://u:p@issuer/",
        "https://[",
    ],
)
def test_jwks_url_must_be_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidSettings, match="jwksUrl is not a URL"):
        read(tmp_path, [{"issuer": "i", "audience": "a", "jwksUrl": url}])


@pytest.mark.parametrize("entries", [None, [], {}, "text", ["text"], [None], [{}]])
def test_file_that_is_not_a_list_of_issuers_is_refused(tmp_path: Path, entries: object) -> None:
    with pytest.raises(InvalidSettings):
        read(tmp_path, entries)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, [{"issuer": "i"}, {"audience": "a"}])
    assert "issuer 1: audience is missing" in str(caught.value)
    assert "issuer 2: issuer is missing" in str(caught.value)


def test_two_entries_of_one_issuer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="same issuer"):
        read(tmp_path, [GOOD, GOOD])


def two(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of two issuers."""
    return [{**GOOD, **first}, {**GOOD, "issuer": "other", **second}]


@pytest.mark.parametrize("name", ["subjectPrefix", "groupsPrefix"])
@pytest.mark.parametrize("position", [0, 1])
def test_each_of_two_issuers_needs_prefixes(tmp_path: Path, name: str, position: int) -> None:
    entries = two(prefixes(""), prefixes("other:"))
    del entries[position][name]
    with pytest.raises(InvalidSettings, match=f"issuer {position + 1}: {name} is missing"):
        read(tmp_path, entries)


@pytest.mark.parametrize("name", ["subjectPrefix", "groupsPrefix", "scopesPrefix"])
@pytest.mark.parametrize("shared", ["", "same:"])
def test_two_issuers_with_one_prefix_are_refused(tmp_path: Path, name: str, shared: str) -> None:
    entries = two({**prefixes("one:"), name: shared}, {**prefixes("two:"), name: shared})
    with pytest.raises(InvalidSettings, match=f"i and other have the same {name}"):
        read(tmp_path, entries)


def test_one_of_two_issuers_may_have_an_empty_prefix(tmp_path: Path) -> None:
    plain, other = read(tmp_path, two(prefixes(""), prefixes("other:"))).issuers
    assert plain.prefixes == NamePrefixes()
    assert other.prefixes == NamePrefixes(subject="other:", groups="other:", scopes="other:")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="No such file"):
        TokenSettings.from_env({"ROADSTEAD_TOKEN_ISSUERS_FILE": str(tmp_path / "none")})


def test_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "issuers.yaml"
    path.write_bytes(b"\xff{[")
    with pytest.raises(InvalidSettings, match="not YAML"):
        TokenSettings.from_env({"ROADSTEAD_TOKEN_ISSUERS_FILE": str(path)})


@pytest.mark.parametrize("leeway", ["-1", "301", "thirty"])
def test_leeway_has_bounds(tmp_path: Path, leeway: str) -> None:
    with pytest.raises(InvalidSettings, match="LEEWAY"):
        read(tmp_path, [GOOD], ROADSTEAD_TOKEN_LEEWAY_SECONDS=leeway)
