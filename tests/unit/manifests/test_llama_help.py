"""The tables of flags are compared with llama-server's own help.

llama-server-help.txt is `llama-server --help` of the build that dev/versions.py pins as LLAMA_CPP,
llama-server-help-debian.txt of LLAMA_CPP_DEBIAN; regenerate them when a pin changes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.images.llama_debian import known_flags, missing_flags, unlisted_flags
from roadstead.api.llama.llama_aliases import canonical, spellings
from roadstead.api.llama.llama_extra import EXTRA, FIELD_OF
from roadstead.api.llama.llama_flags import server_args
from roadstead.api.llama.llama_refused import REFUSED
from roadstead.api.llama.llama_templates import TEMPLATE_NAMES

_HELPS = [
    (Path(__file__).parent / name).read_text()
    for name in ("llama-server-help.txt", "llama-server-help-debian.txt")
]
_OLD = {"--mlock", "--mmap", "--no-mmap"}
"""Flags that builds with load modes no longer have, but users still write."""
both_builds = pytest.mark.parametrize("text", _HELPS, ids=["pinned", "debian"])


@both_builds
def test_every_flag_is_allowed_or_a_fields_or_refused_for_a_reason(text: str) -> None:
    assert unlisted_flags(text) == []


@both_builds
def test_every_flag_that_a_server_may_start_with_exists(text: str) -> None:
    assert missing_flags(text) == []
    params = {"mode": "Embedding", "loadMode": "mmap", "chatTemplate": "gemma"}
    args = server_args(params, "gemma-3-270m", {})
    assert {arg for arg in args if arg.startswith("--")} <= known_flags(text)


def test_a_flag_is_in_one_table() -> None:
    assert set(EXTRA) & set(FIELD_OF) == set()
    assert [flag for flag in REFUSED if canonical(flag) in {*EXTRA, *FIELD_OF}] == []


def test_a_name_means_one_flag() -> None:
    listed = [name for flag in (*EXTRA, *FIELD_OF) for name in spellings(flag)]
    assert sorted(listed) == sorted(set(listed))


@both_builds
def test_other_names_are_those_of_the_help(text: str) -> None:
    """Names of one line are one flag, apart from `--no-x` beside `--x`."""
    for flag in (*EXTRA, *FIELD_OF):
        names = spellings(flag)
        assert all(set(names) <= line | _OLD for line in _lines(text) if flag in line), flag


@both_builds
def test_no_name_of_a_listed_flag_is_missing(text: str) -> None:
    known = {name for flag in (*EXTRA, *FIELD_OF) for name in spellings(flag)}
    for line in _lines(text):
        if line & set(EXTRA):
            assert line <= known | set(REFUSED)


def test_no_flag_that_reads_a_file_or_a_url_is_allowed() -> None:
    forbidden = re.compile(r"url|file|path|dir|hf|repo|tool|agent|mcp|rpc|lora|key|ssl|log-prompts")
    assert [flag for flag in EXTRA if forbidden.search(flag)] == []


@both_builds
def test_no_flag_whose_value_is_a_file_or_a_url_is_allowed(text: str) -> None:
    value = re.compile(r" (?:FNAME|FILE|PATH|DIR|MODEL_URL|URL|SERVERS|ORIGINS|TOKEN|KEY)\b")
    found = {name for line in text.splitlines() if value.search(line) for name in known_flags(line)}
    assert {canonical(name) for name in found} & set(EXTRA) == set()


@both_builds
def test_the_template_names_are_those_of_the_build(text: str) -> None:
    listed = re.search(r"built-in templates:\n(.*?)\n\s*\(env", text, re.DOTALL)
    assert listed is not None
    assert re.split(r",\s+", " ".join(listed[1].split())) == list(TEMPLATE_NAMES)


def _lines(text: str) -> list[frozenset[str]]:
    return [known_flags(line) for line in text.splitlines() if line.startswith("-")]
