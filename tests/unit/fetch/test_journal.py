"""The journal and the seal of a fetch."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from roadstead.fetch.journal import Journal, Seal, journal_head, parse_journal

FIRST = journal_head(sha256="0" * 64, size=100, part_size=10)


def test_parts_are_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "model.gguf", FIRST, 10)
    journal.begin(frozenset({2}))
    journal.add(7)
    assert journal.load() == {2, 7}


def test_journal_of_another_model_is_ignored() -> None:
    other = journal_head(sha256="1" * 64, size=100, part_size=10)
    assert parse_journal(f"{other}\n1\n", FIRST, 10) == frozenset()


def test_incomplete_last_line_is_ignored() -> None:
    assert parse_journal(f"{FIRST}\n1\n1", FIRST, 10) == {1}


@given(text=st.text(max_size=100))
def test_random_text_has_only_parts_that_exist(text: str) -> None:
    assert parse_journal(f"{FIRST}\n{text}", FIRST, 10) <= set(range(1, 11))


def test_missing_journal_has_no_parts(tmp_path: Path) -> None:
    assert Journal(tmp_path / "model.gguf", FIRST, 10).load() == frozenset()


def test_seal_is_valid_until_the_file_or_the_boot_id_changes(tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_bytes(b"model")
    seal = Seal(target, "0" * 64, "boot")
    assert not seal.is_valid()
    seal.write()
    assert seal.is_valid()
    assert not Seal(target, "0" * 64, "another boot").is_valid()
    target.write_bytes(b"another model")
    assert not seal.is_valid()
