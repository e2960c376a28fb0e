"""The helm commands of the documentation render, with the values file that it shows."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.charts import CHART, CHECKOUT, IMAGE, MONITORING, Chart

PAGES = (*sorted((CHECKOUT / "docs").rglob("*.md")), CHECKOUT / "README.md", CHART / "README.md")
TEXTS = (*PAGES, CHART / "templates" / "NOTES.txt")
INSTALL = CHECKOUT / "docs" / "how-to" / "install.md"
PLACEHOLDER = "YOUR-REGISTRY/roadstead:0.1.0"
_FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_FLAGS = frozenset({"-f", "--values", "--set", "--set-string", "--set-file"})


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each `helm install`, `upgrade` or `template` in code blocks."""
    for block in _FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r" *helm .*\b(install|upgrade|template)\b", line):
                yield shlex.split(line.partition(" | ")[0], comments=True)


def values_of(words: list[str]) -> Iterator[str]:
    """The flags that set values, with their arguments."""
    for flag, value in itertools.pairwise(words):
        if flag in _FLAGS:
            yield from (flag, value.replace(PLACEHOLDER, IMAGE))


COMMANDS = [
    pytest.param(words, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, words in enumerate(commands(page.read_text()))
]


@pytest.fixture
def documented_values(tmp_path: Path) -> Path:
    """values.yaml as the page about the installation shows it, with an image."""
    (text,) = re.findall(r"^```yaml\n(# values\.yaml\n.*?)^```", INSTALL.read_text(), re.M | re.S)
    assert PLACEHOLDER in text
    (tmp_path / "values.yaml").write_text(text.replace(PLACEHOLDER, IMAGE))
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS)
def test_documented_command_renders(
    chart: Chart, documented_values: Path, words: list[str]
) -> None:
    flags = [f"--api-versions={each}" for each in MONITORING]
    flags += ["--kube-version", "1.37.2", *values_of(words)]
    if any(word.startswith("oci://") for word in words):
        # A released chart has its image as default.
        flags += ["--set-string", f"images.roadstead={IMAGE}"]
    text = chart.render_in(documented_values, *flags)
    assert any(each and each["kind"] == "Deployment" for each in yaml.safe_load_all(text))


def test_pages_have_commands_to_check() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_values_of_another_version_are_never_reused(text: Path) -> None:
    # Helm would then miss the defaults of new values.
    assert "reuse-values" not in text.read_text()
