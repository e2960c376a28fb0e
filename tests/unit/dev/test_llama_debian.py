"""Debian's llama.cpp is used only if it has every flag that servers are started with."""

from pathlib import Path

import pytest

from dev.errors import DevError
from dev.images.llama_debian import build_number, missing_flags, unlisted_flags

HELP = (Path(__file__).parents[1] / "manifests" / "llama-server-help.txt").read_text()


def test_complete_build_has_no_missing_flags() -> None:
    assert missing_flags(HELP) == []


def test_missing_flag_is_reported() -> None:
    without = HELP.replace("--cache-ram", "--cache-size")
    assert "--cache-ram" in missing_flags(without)


def test_flag_in_a_description_is_ignored() -> None:
    without = HELP.replace("\n--offline", "\n        --offline")
    assert missing_flags(without) == ["--offline"]


def test_new_flag_is_reported() -> None:
    assert unlisted_flags(f"{HELP}\n-xf,   --exfiltrate URL    where to\n") == [
        "--exfiltrate",
        "-xf",
    ]


@pytest.mark.parametrize(
    "text", ["version: 0.7.0 (build 11669, commit Debian)", "version: 1 build: 11669 (abc)\n"]
)
def test_build_number_is_parsed(text: str) -> None:
    assert build_number(text) == 11669


def test_version_without_a_build_number_raises_an_error() -> None:
    with pytest.raises(DevError, match="no build number: version: unknown"):
        build_number("version: unknown")
