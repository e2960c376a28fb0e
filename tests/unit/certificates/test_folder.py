"""Files that are replaced atomically."""

from __future__ import annotations

from pathlib import Path

from roadstead_webhooks.certificates.folder import publish


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_files_are_published_under_their_names(tmp_path: Path) -> None:
    assert publish(tmp_path / "new", {"a": b"1", "b": b"2"})
    assert (tmp_path / "new" / "a").read_bytes() == b"1"


def test_the_same_files_are_written_once(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1"})
    assert not publish(tmp_path, {"a": b"1"})


def test_replaced_files_are_removed(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1", "b": b"2"})
    publish(tmp_path, {"a": b"3"})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert names(tmp_path) == {"a"}
    assert len(list(tmp_path.glob("..*"))) == 2  # ..data and what it leads to


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1"})
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0
