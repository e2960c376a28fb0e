"""The results of a benchmark."""

from bench.measure import Cost
from bench.report import summary, table


def cost(seconds: float, rss: float = 100.0) -> Cost:
    """The cost of a run."""
    return Cost(seconds=seconds, cpu_seconds=1.0, server_cpu_seconds=2.0, peak_rss_mib=rss)


def test_goal_is_met_by_the_medians() -> None:
    costs = {
        "roadstead": [cost(1.0), cost(4.0), cost(9.0)],
        "curl | mc pipe": [cost(8.0), cost(8.0), cost(1.0)],
    }
    found = summary("transfer", 2**31, costs)
    assert found["goals"]["ratio"] == {
        "against": "curl | mc pipe",
        "atMost": 0.5,
        "is": 0.5,
        "met": True,
    }


def test_memory_goal_is_missed_by_a_single_run() -> None:
    costs = {"roadstead": [cost(1.0), cost(1.0, 300.0)], "mc cp": [cost(8.0)]}
    found = summary("fetch", 2**31, costs)
    assert not found["goals"]["peakRssMiB"]["met"]
    assert "MISSED" in table(found)
