"""The rate and the remaining time of a transfer."""

from roadstead.transfer.messages import Phase
from roadstead.transfer.rate import TransferRate


def test_rate_and_remaining_time_are_computed_from_progress() -> None:
    rate = TransferRate(total=1000, start=0, now=0.0, phase=Phase.TRANSFERRING)
    progress = rate.progress(100, 1.0)
    assert (progress.bytes_per_second, progress.remaining_seconds) == (100, 9)


def test_bytes_of_an_earlier_run_do_not_count_for_the_rate() -> None:
    rate = TransferRate(total=1000, start=900, now=0.0, phase=Phase.TRANSFERRING)
    assert rate.progress(910, 1.0).bytes_per_second == 10


def test_rate_is_smoothed() -> None:
    rate = TransferRate(total=1000, start=0, now=0.0, phase=Phase.TRANSFERRING)
    rate.progress(100, 1.0)
    assert rate.progress(100, 2.0).bytes_per_second == 70


def test_remaining_time_is_unknown_without_progress() -> None:
    rate = TransferRate(total=1000, start=0, now=0.0, phase=Phase.VERIFYING)
    assert rate.progress(0, 1.0).remaining_seconds is None
