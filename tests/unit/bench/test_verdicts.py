"""The results of the benchmark of verdicts."""

import pytest

from bench.verdicts import summary, table
from bench.wrk import Rate


@pytest.mark.parametrize(
    ("one", "many", "met"),
    [
        (Rate(per_second=900, p50=0.1, p99=1.0), Rate(per_second=4000, p50=1, p99=5.0), [True] * 2),
        (Rate(per_second=9000, p50=1, p99=1.0), Rate(per_second=3999, p50=1, p99=2), [False, True]),
        (Rate(per_second=9000, p50=1, p99=6.0), Rate(per_second=9000, p50=1, p99=2), [True, False]),
    ],
    ids=["met", "too few", "too slow"],
)
def test_goals_apply_to_the_full_load_and_the_slowest_rate(
    one: Rate, many: Rate, met: list[bool]
) -> None:
    found = summary({1: one, 16: many})
    assert [goal["met"] for goal in found["goals"].values()] == met
    assert ("MISSED" in table(found)) is not all(met)
