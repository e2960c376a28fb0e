"""What a fetch leaves beside its file."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from roadstead.fetch.journal import Journal, Seal, head, parse

FIRST = head(sha256="0" * 64, size=100, part_size=10)


def test_parts_are_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "model.gguf", FIRST, 10)
    journal.begin(frozenset({2}))
    journal.add(7)
    assert journal.load() == {2, 7}


def test_journal_of_another_model_counts_nothing() -> None:
    other = head(sha256="1" * 64, size=100, part_size=10)
    assert parse(f"{other}\n1\n", FIRST, 10) == frozenset()


def test_line_that_was_being_written_does_not_count() -> None:
    assert parse(f"{FIRST}\n1\n1", FIRST, 10) == {1}


@given(text=st.text(max_size=100))
def test_noise_counts_only_parts_that_exist(text: str) -> None:
    assert parse(f"{FIRST}\n{text}", FIRST, 10) <= set(range(1, 11))


def test_missing_journal_counts_nothing(tmp_path: Path) -> None:
    assert Journal(tmp_path / "model.gguf", FIRST, 10).load() == frozenset()


def test_seal_holds_until_the_file_or_the_boot_changes(tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_bytes(b"model")
    seal = Seal(target, "0" * 64, "boot")
    assert not seal.holds()
    seal.write()
    assert seal.holds()
    assert not Seal(target, "0" * 64, "another boot").holds()
    target.write_bytes(b"another model")
    assert not seal.holds()
