"""CHANGELOG.md: the notes of a release, and what cutting one changes (Keep a Changelog)."""

import re

from dev.errors import DevError

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"(?m)^## (?P<title>.+)$")
_NOT_RELEASED_YET = re.compile(r" Nothing is released yet, so\s+everything is listed as added\.")


def sections(changelog: str) -> dict[str, str]:
    """The text below each `## ` heading, by the version that it names."""
    found = list(_HEADING.finditer(changelog))
    ends = [each.start() for each in found[1:]] + [len(changelog)]
    return {
        each["title"].split()[0].strip("[]"): changelog[each.end() : end].strip()
        for each, end in zip(found, ends, strict=True)
    }


def notes(changelog: str, version: str) -> str:
    """The version's notes; those of what is unreleased if it was not cut yet. Raises DevError."""
    found = sections(changelog)
    text = found.get(version) or found.get(UNRELEASED)
    if not text:
        raise DevError(f"CHANGELOG.md has neither {version} nor a filled section {UNRELEASED}")
    return f"# Roadstead {version}\n\n{text}\n"


def cut(changelog: str, version: str, day: str) -> str:
    """The changelog with all that is unreleased as `version`. Raises DevError if nothing is."""
    found = sections(changelog)
    if version in found:
        raise DevError(f"CHANGELOG.md has {version} already: choose the next version")
    if not found.get(UNRELEASED):
        raise DevError(f"CHANGELOG.md has nothing below {UNRELEASED}")
    heading = f"## {UNRELEASED}\n"
    cut_ = changelog.replace(heading, f"{heading}\n## {version} - {day}\n", 1)
    return _NOT_RELEASED_YET.sub("", cut_)
