"""A chain stops at the first rule that is broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roadstead.policy.chain import Rule, Violation, evaluate


def above(limit: int) -> Rule[int]:
    def rule(number: int) -> Violation | None:
        if number > limit:
            return None
        return Violation(reason="TooSmall", message=f"must be above {limit}", field="spec.n")

    return rule


def test_chain_without_rules_has_no_violation() -> None:
    assert evaluate([], 1) is None


def test_the_first_violation_counts() -> None:
    violation = evaluate([above(0), above(5), above(9)], 3)
    assert violation is not None
    assert violation.message == "must be above 5"


@given(st.lists(st.integers(0, 9)), st.integers(0, 9))
def test_chain_without_broken_rules_has_no_violation(limits: list[int], number: int) -> None:
    holds = evaluate([above(limit) for limit in limits], number) is None
    assert holds == all(number > limit for limit in limits)
