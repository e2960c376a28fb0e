"""The requirements files pin the dependencies in pyproject.toml."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev.images.archive import CHECKOUT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
FILES = {
    "requirements.txt": PROJECT["project"]["dependencies"],
    "requirements-build.txt": PROJECT["build-system"]["requires"],
    "requirements-sbom.txt": PROJECT["dependency-groups"]["sbom"],
}
REMEDY = "make requirements"


def pins(name: str) -> dict[str, str]:
    text = (CHECKOUT / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", text, re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_dependency_is_pinned_within_its_bounds(name: str) -> None:
    for text in FILES[name]:
        wanted = Requirement(text)
        pinned = pins(name).get(canonicalize_name(wanted.name), "")
        assert pinned, f"{wanted.name} is missing in {name}: {REMEDY}"
        assert pinned in wanted.specifier, f"{wanted.name} in {name}: {REMEDY}"


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash(name: str) -> None:
    blocks = (CHECKOUT / name).read_text().split("\n")
    heads = [index for index, line in enumerate(blocks) if "==" in line]
    assert all("--hash=sha256:" in blocks[index + 1] for index in heads)
    assert len(heads) == len(pins(name))


@pytest.mark.parametrize("name", FILES)
def test_requirements_name_no_index(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    assert "://" not in text
    assert "--index-url" not in text
