"""Formatting of numbers, times and reasons."""

import datetime

import pytest

from roadstead.console.web import formatting

NOW = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (4, "just now"),
        (5, "5 seconds ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (86_400, "1 day ago"),
        (40 * 86_400, "1 month ago"),
        (800 * 86_400, "2 years ago"),
        (-90, "in 1 minute"),
        (-7200, "in 2 hours"),
    ],
)
def test_times_are_relative(seconds: int, text: str) -> None:
    assert formatting.when(NOW - datetime.timedelta(seconds=seconds), NOW) == text


def test_exact_time_is_in_utc() -> None:
    east = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2030, 1, 1, 2, 3, 4, tzinfo=east)
    assert formatting.exact(moment) == "2030-01-01 00:03:04 UTC"


def test_megabytes_are_formatted_in_binary_units() -> None:
    assert formatting.memory(1073.741824) == "1 GiB"


def test_missing_value_is_a_dash() -> None:
    functions = (formatting.memory, formatting.cores, formatting.speed)
    assert {each(None) for each in functions} == {formatting.NO_VALUE}
    assert formatting.when(None, NOW) == formatting.NO_VALUE


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(1, 4, 25), (5, 4, 100), (0, 4, 0), (None, 4, None), (1, 0, None), (1, None, None)],
)
def test_share_is_in_whole_percent(
    part: float | None, whole: float | None, percent: int | None
) -> None:
    assert formatting.share(part, whole) == percent


def test_reason_is_the_operators_message_or_a_text() -> None:
    assert formatting.reason_text("Loading", "pod x loads the model") == "Pod x loads the model"
    assert formatting.reason_text("ScaledToZero", "") == "Stopped: it is scaled to zero replicas."
    assert formatting.reason_text("ImagePullFailed", "") == "Image pull failed."
