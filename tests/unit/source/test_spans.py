"""How an object is split."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from roadstead.source.spans import BUFFER_BUDGET_BYTES, MAX_PARTS, MIN_PART_BYTES, plan_layout

TIB = 2**40
SIZES = st.integers(1, 5 * TIB)


@given(size=SIZES, connections=st.integers(1, 8))
def test_memory_and_number_of_parts_are_bounded(size: int, connections: int) -> None:
    layout = plan_layout(size, connections)
    assert layout.buffers * layout.part_size <= BUFFER_BUDGET_BYTES
    assert 1 <= layout.connections <= connections
    assert -(-size // layout.part_size) <= MAX_PARTS


@given(size=st.integers(1, 100 * MIN_PART_BYTES), connections=st.integers(1, 8))
def test_parts_cover_the_object_without_gap_or_overlap(size: int, connections: int) -> None:
    spans = plan_layout(size, connections).spans
    assert [span.number for span in spans] == list(range(1, len(spans) + 1))
    assert spans[0].start == 0
    assert spans[-1].end == size
    assert all(left.end == right.start for left, right in itertools.pairwise(spans))


@given(size=SIZES, connections=st.integers(1, 8))
def test_small_parts_always_fit_in_memory(size: int, connections: int) -> None:
    assert plan_layout(size, connections, part_size=MIN_PART_BYTES).buffers > 0


def test_part_size_of_an_upload_is_kept() -> None:
    assert plan_layout(100 * MIN_PART_BYTES, 4, part_size=MIN_PART_BYTES * 3).part_size == (
        MIN_PART_BYTES * 3
    )
