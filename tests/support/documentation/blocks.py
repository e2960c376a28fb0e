"""The fenced code blocks of the pages that users follow.

A block that no test can run has its reason in a comment above it, which no reader sees:
`<!-- not run: needs a registry -->`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import yaml

from tests.support.charts import CHART, CHECKOUT

REFERENCES: Final = ("contributing", "reference")
"""Folders of pages that list facts and have no steps."""
PAGES: Final = (
    CHECKOUT / "README.md",
    *(
        page
        for page in sorted((CHECKOUT / "docs").rglob("*.md"))
        if page.parent.name not in REFERENCES and page.stem != "development"
    ),
)
_BLOCK: Final = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_FILE_NAME: Final = re.compile(r"# (\S+\.yaml)\n")


class Kind(enum.Enum):
    """What a reader does with a block."""

    COMMANDS = "commands for a shell"
    VALUES = "values of the chart"
    OBJECTS = "objects of a cluster"
    CONFIGURATION = "configuration of another program"
    TEXT = "output, or code in another language"
    UNKNOWN = "no language is set"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """A block of a page."""

    page: str
    """Path in the repository."""
    line: int
    language: str
    text: str
    """Without the indentation of a list."""
    reason: str = ""
    """Why no test runs it; empty if one has to."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """The file that the reader writes the block to, if its first line is `# NAME.yaml`."""
        found = _FILE_NAME.match(self.text)
        return found[1] if found and self.language == "yaml" else ""

    @property
    def kind(self) -> Kind:
        """From its language and, for YAML, its content."""
        match self.language:
            case "sh":
                return Kind.COMMANDS
            case "yaml":
                return _kind_of_yaml(self.documents())
            case "":
                return Kind.UNKNOWN
            case _:
                return Kind.TEXT

    def documents(self) -> Sequence[dict[str, Any]]:
        """Its YAML documents."""
        return [each for each in yaml.safe_load_all(self.text) if each]


def parse(page: str, text: str) -> Sequence[Block]:
    """The blocks of a page, in order."""
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=textwrap.dedent(found["text"]),
            reason=found["reason"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


@functools.cache
def all_blocks() -> Sequence[Block]:
    """The blocks of all pages."""
    return [
        block
        for page in PAGES
        for block in parse(str(page.relative_to(CHECKOUT)), page.read_text())
    ]


def _kind_of_yaml(documents: Sequence[dict[str, Any]]) -> Kind:
    if all({"apiVersion", "kind"} <= each.keys() for each in documents):
        return Kind.OBJECTS
    if all(each.keys() <= _chart_keys() for each in documents):
        return Kind.VALUES
    return Kind.CONFIGURATION


@functools.cache
def _chart_keys() -> frozenset[str]:
    return frozenset(yaml.safe_load((CHART / "values.yaml").read_text()))
