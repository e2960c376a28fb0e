"""The content of the images, and the keys of their archives."""

import os
import re
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.images import archive, base, context
from dev.images.archive import CHECKOUT

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in context.INCLUDED:
        path = tmp_path / name
        if "." in name or name.isupper() or name == "Dockerfile":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        else:
            path.mkdir()
            (path / "part.txt").write_text(name)
    return tmp_path


def test_context_matches_dockerignore() -> None:
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == set(context.INCLUDED)


def test_every_source_of_a_copy_is_in_the_context() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    assert sources == set(context.INCLUDED) - {"Dockerfile"}


def test_changed_byte_changes_the_digest(checkout: Path) -> None:
    before = context.digest(checkout)
    (checkout / "operator" / "part.txt").write_text("other")
    assert context.digest(checkout) != before


def test_renamed_file_changes_the_digest(checkout: Path) -> None:
    before = context.digest(checkout)
    (checkout / "crds" / "part.txt").rename(checkout / "crds" / "other.txt")
    assert context.digest(checkout) != before


def test_times_and_byte_code_do_not_change_the_digest(checkout: Path) -> None:
    before = context.digest(checkout)
    os.utime(checkout / "LICENSE", (0, 0))
    (checkout / "operator" / "__pycache__").mkdir()
    (checkout / "operator" / "__pycache__" / "part.pyc").write_bytes(b"code")
    assert context.digest(checkout) == before


def test_files_outside_the_build_do_not_change_the_digest(checkout: Path) -> None:
    before = context.digest(checkout)
    (checkout / "docs.md").write_text("words")
    assert context.digest(checkout) == before


def test_copy_has_the_same_digest(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copied = tmp_path_factory.mktemp("copy")
    context.copy(checkout, copied)
    assert context.digest(copied) == context.digest(checkout)


def test_dockerfile_uses_the_base_image_that_is_built_here() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    own = {name for _, name in stages if name}
    assert {image for image, _ in stages} - own == {"${BASE}"}
    assert f"\nARG BASE={base.NAME}\n" in DOCKERFILE


def test_every_package_in_the_image_is_installed_by_its_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install (.*)", DOCKERFILE)
    assert len(installs) == 4
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options


def test_image_runs_as_a_numeric_non_root_user() -> None:
    # By number: the kubelet can't check whether a name is root's.
    *_, user = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0


def test_error_for_an_unknown_image_lists_the_known_ones() -> None:
    with pytest.raises(
        DevError, match="expected one of roadstead, versitygw, postgres, traefik, llama-server"
    ):
        archive.ensure("roadsted")


def test_image_reference_is_that_of_the_local_cluster() -> None:
    assert archive.reference("llama-server") == "localhost/llama-server:dev"
