"""Human-readable numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.quantity import percent, seconds_text, size_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (1536, "1.5 KiB"),
        (253_113_024, "241 MiB"),
        (2**30, "1 GiB"),
        (70 * 2**30, "70 GiB"),
        (2**62, "4096 PiB"),
    ],
)
def test_size_has_up_to_three_digits(count: int, text: str) -> None:
    assert size_text(count) == text


@given(st.integers(0, 2**63 - 1))
def test_every_size_fits_its_status_field(count: int) -> None:
    text = size_text(count)
    assert len(text) <= 32
    assert "e" not in text


@given(st.integers(0, 2**60), st.integers(0, 2**60))
def test_percent_is_100_only_if_all_is_done(done: int, total: int) -> None:
    share = percent(done, total)
    assert 0 <= share <= 100
    assert (share == 100) == (total > 0 and done >= total)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "2 h 0 min"), (7500, "2 h 5 min")],
)
def test_duration_has_a_readable_unit(seconds: int, text: str) -> None:
    assert seconds_text(seconds) == text
