"""Files are left out of the copies of upstream modules, and of nothing else."""

import dataclasses
import re
from pathlib import Path

import pytest

from dev import stubs
from dev.binaries import GO_MODULES, content_key
from dev.errors import BuildFailed
from dev.stubs import FOLDER, STUBS, Stub, apply, replacements
from dev.versions import GO_PROGRAMS

STUB = Stub(module="example.com/shop", folder="shop", removed=("sms/client.go",))
ALL = [pytest.param(name, stub, id=stub.module) for name, each in STUBS.items() for stub in each]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of an upstream module."""
    return _write(tmp_path / "copied", "go.mod", "sms/client.go", "sms/send.go", "shop.go")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A module of ours with a file that replaces one upstream."""
    _write(tmp_path / "dev-go" / FOLDER / "shop", "sms/send.go", text="ours")
    return tmp_path / "dev-go"


def test_copy_has_our_files_and_lacks_the_removed_ones(folder: Path, copied: Path) -> None:
    apply(STUB, replacements(folder, STUB), copied)
    found = {str(p.relative_to(copied)): p.read_text() for p in copied.rglob("*") if p.is_file()}
    assert found == {"go.mod": "upstream", "sms/send.go": "ours", "shop.go": "upstream"}


@pytest.mark.parametrize("file", ["sms/client.go", "sms/send.go"])
def test_missing_upstream_file_is_reported(folder: Path, copied: Path, file: str) -> None:
    (copied / file).unlink()
    with pytest.raises(BuildFailed, match=f"example.com/shop has no file {file}"):
        apply(STUB, replacements(folder, STUB), copied)


@pytest.mark.parametrize(("name", "stub"), ALL)
def test_every_stub_changes_a_module_that_is_verified(name: str, stub: Stub) -> None:
    text = (GO_MODULES / name / "go.sum").read_text()
    assert re.search(rf"^{re.escape(stub.module)} \S+ h1:", text, re.MULTILINE)
    assert stub.removed or replacements(GO_MODULES / name, stub)


def test_every_replacement_file_belongs_to_a_stub() -> None:
    for folder in GO_MODULES.glob(f"*/{FOLDER}/*"):
        assert folder.name in {stub.folder for stub in STUBS[folder.parent.parent.name]}


def test_programs_are_rebuilt_when_a_stub_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    traefik = GO_PROGRAMS["traefik"]
    before = content_key(traefik, GO_MODULES)
    first, *others = STUBS["cluster"]
    changed = dataclasses.replace(first, removed=("docs.go",))
    monkeypatch.setattr(stubs, "STUBS", {"cluster": (changed, *others)})
    assert content_key(traefik, GO_MODULES) != before


def test_programs_are_rebuilt_when_a_replacement_file_moves(tmp_path: Path) -> None:
    traefik = GO_PROGRAMS["traefik"]
    module = tmp_path / traefik.module
    _write(module / FOLDER / "traefik", "pkg/one.go")
    before = content_key(traefik, tmp_path)
    (module / FOLDER / "traefik/pkg/one.go").rename(module / FOLDER / "traefik/pkg/two.go")
    assert content_key(traefik, tmp_path) != before


def _write(folder: Path, *names: str, text: str = "upstream") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
