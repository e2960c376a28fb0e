"""The cache's path and keys."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev import cache


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"XDG_CACHE_HOME": "/big/disk", "HOME": "/home/a"}, "/big/disk/roadstead"),
        ({"HOME": "/home/a"}, "/home/a/.cache/roadstead"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/a"}, "/home/a/.cache/roadstead"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.cache/roadstead"),
    ],
)
def test_root_follows_the_xdg_specification(env: dict[str, str], expected: str) -> None:
    assert cache.root(env) == Path(expected)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_keys_are_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    assert (cache.key(*one) == cache.key(*other)) == (one == other)


def test_staging_folder_is_removed_after_the_move(tmp_path: Path) -> None:
    final = tmp_path / "entry"
    with cache.staging(final) as staged:
        (staged / "file").write_text("whole")
        (staged / "file").replace(final)
    assert list(tmp_path.iterdir()) == [final]


def test_staging_folder_is_removed_after_a_failure(tmp_path: Path) -> None:
    def fill_half() -> None:
        with cache.staging(tmp_path / "entry") as staged:
            (staged / "file").write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        fill_half()
    assert list(tmp_path.iterdir()) == []
