"""The requests and results of the benchmark of hostile objects."""

from __future__ import annotations

import pytest

from bench.hostile import QUIET, attacks, summary, table
from roadstead_webhooks.admission.review import MAX_NODES, MAX_OBJECT_BYTES

MOST_OF_THE_API_SERVER = 3 * 2**20


def test_attacks_have_the_size_limits_of_the_webhooks() -> None:
    sizes = {each.name: len(each.body) for each in attacks("token")}
    assert max(sizes.values()) < MOST_OF_THE_API_SERVER
    large = [name for name, size in sizes.items() if size > MAX_OBJECT_BYTES]
    assert large == ["too large"]
    nodes = [sum(map(each.body.count, (b",", b"[", b"{"))) for each in attacks("token")]
    assert max(nodes[:6]) < MAX_NODES


def measured(p99: float, failed: int = 0, in_time: float = 1.0) -> dict[str, float]:
    ours = {"webhooksP50": 1.0, "webhooksP99": 2.0, "webhooksInTime": in_time}
    return {"p50": 1.0, "p99": p99, "perSecond": 20.0, "failed": failed, **ours}


@pytest.mark.parametrize(
    ("p99", "failed", "met"), [(100.0, 0, True), (100.1, 0, False), (5.0, 1, False)]
)
def test_goal_applies_to_the_worst_attack_without_denials(
    p99: float, failed: int, met: bool
) -> None:
    beside = {QUIET: measured(900.0), "a": measured(3.0), "b": measured(p99, failed)}
    found = summary(beside, beside)
    assert (found["goal"]["worst"], found["goal"]["met"]) == ("a" if p99 < 3 else "b", met)
    assert ("MISSED" in "\n".join(table(found))) is not met


@pytest.mark.parametrize(("share", "met"), [(0.99, True), (0.9899, False)])
def test_goal_of_the_webhooks_applies_to_the_attack_that_delays_most_calls(
    share: float, met: bool
) -> None:
    beside = {QUIET: measured(1.0), "a": measured(1.0, in_time=share), "b": measured(1.0)}
    found = summary(beside, beside)
    assert (found["ownGoal"]["worst"], found["ownGoal"]["met"]) == ("a", met)
    assert ("MISSED" in "\n".join(table(found))) is not met
