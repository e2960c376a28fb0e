"""The use of a contract: sums, and which servers are excluded when the totals shrink."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand, total
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.watch_cache import Name
from roadstead.policy.contract.contract_share import fits
from roadstead.tokens.receipt_keys import SigningKey
from tests.support.receipts import verifier_of, with_receipt
from tests.unit.guard.servers import make_server, parsed

KEY = SigningKey.generate()
NAME = ("demo", "one")


def update(usage: ContractUsage, name: Name, raw: Raw | None) -> set[str]:
    return usage.update(name, None if raw is None else ModelServe.parse(raw))


def usage_of(*servers: Any) -> ContractUsage:
    usage = ContractUsage(AdmittedServes())
    for raw in servers:
        update(usage, ("demo", raw["metadata"]["name"]), raw)
    return usage


def accepted(server: Raw) -> Raw:
    """The same, after its contract was found to cover it."""
    holds = {"type": "ContractAccepted", "status": "True", "reason": "Accepted"}
    return {**server, "status": {"conditions": [holds]}}


def test_servers_of_a_contract_are_summed() -> None:
    usage = usage_of(make_server("one", replicas=2), make_server("two"))
    assert usage.used("demo") == Demand(
        servers=2, replicas=3, cpu_milli=3000, memory_bytes=3 * 2**30
    )


def test_a_server_without_a_contract_is_counted_nowhere() -> None:
    assert usage_of(make_server(contract="")).used("") == Demand()


def test_deleted_server_is_not_counted() -> None:
    usage = usage_of(make_server("one"))
    assert update(usage, ("demo", "one"), None) == {"demo"}
    assert usage.used("demo") == Demand()


def test_a_server_that_changes_its_contract_changes_both() -> None:
    usage = usage_of(make_server("one"))
    assert update(usage, ("demo", "one"), make_server("one", contract="other")) == {"demo", "other"}


def test_a_change_of_a_servers_status_changes_no_contract() -> None:
    usage = usage_of(make_server("one"))
    assert update(usage, ("demo", "one"), {**make_server("one"), "status": {"url": "x"}}) == set()


def test_each_server_has_the_rest_if_all_fit() -> None:
    usage = usage_of(make_server("one"), make_server("two", replicas=2))
    others = usage.others(parsed(total={"replicas": 3}), "demo/one")
    assert (others.servers, others.replicas) == (1, 2)


def test_youngest_server_is_excluded_from_lowered_totals() -> None:
    usage = usage_of(
        make_server("old", created="2026-01-01T00:00:00Z"),
        make_server("young", created="2026-01-01T00:00:02Z"),
        make_server("middle", created="2026-01-01T00:00:01Z"),
    )
    assert usage.left_out(parsed(total={"servers": 2})) == {"demo/young"}


def test_a_small_server_may_fit_where_an_older_large_one_does_not() -> None:
    usage = usage_of(
        make_server("large", replicas=5, created="2026-01-01T00:00:00Z"),
        make_server("small", replicas=1, created="2026-01-01T00:00:01Z"),
    )
    assert usage.left_out(parsed(total={"replicas": 3})) == {"demo/large"}


def test_accepted_servers_of_the_same_second_are_first() -> None:
    usage = usage_of(make_server("b"), make_server("c"))
    usage.set_verdict(ModelServe.parse(make_server("c")), accepted=True)
    update(usage, ("demo", "a"), make_server("a"))
    assert usage.left_out(parsed(total={"servers": 1})) == {"demo/a", "demo/b"}


def test_acceptance_by_another_operator_is_read_from_the_status() -> None:
    usage = usage_of(make_server("a"), make_server("b"))
    update(usage, ("demo", "b"), accepted(make_server("b")))
    assert usage.left_out(parsed(total={"servers": 1})) == {"demo/a"}


def test_current_verdict_overrides_the_status() -> None:
    usage = usage_of(make_server("a"), accepted(make_server("b")))
    usage.set_verdict(ModelServe.parse(make_server("b")), accepted=False)
    update(usage, ("demo", "b"), accepted(make_server("b")))
    assert usage.left_out(parsed(total={"servers": 1})) == {"demo/b"}


def test_an_older_server_has_its_turn_before_one_that_was_accepted() -> None:
    young = accepted(make_server("young", created="2026-01-01T00:00:01Z"))
    usage = usage_of(make_server("old"), young)
    assert usage.left_out(parsed(total={"servers": 1})) == {"demo/young"}


_STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 5)), st.sampled_from("xy")
    ),
    max_size=40,
)


@given(_STEPS)
def test_sums_equal_a_count_of_all_servers_after_any_changes(
    steps: list[tuple[str, int | None, str]],
) -> None:
    usage, there = ContractUsage(AdmittedServes()), {}
    for name, replicas, contract in steps:
        raw = None if replicas is None else make_server(name, replicas=replicas, contract=contract)
        update(usage, ("demo", name), raw)
        there[name] = raw
    for contract in "xy":
        mine = [raw for raw in there.values() if raw and raw["spec"]["contract"] == contract]
        assert usage.used(contract) == total(Demand.of_serve(ModelServe.parse(r)) for r in mine)


@given(_STEPS, st.integers(0, 8))
def test_included_servers_fit_together(
    steps: list[tuple[str, int | None, str]], replicas: int
) -> None:
    usage = ContractUsage(AdmittedServes())
    for name, count, _ in steps:
        update(usage, ("demo", name), make_server(name, replicas=count or 0))
    contract = parsed(total={"replicas": replicas})
    out = usage.left_out(contract)
    staying = [each.demand for key, each in usage.servers("demo").items() if key not in out]
    assert fits(total(staying), contract.total)


def changed(server: Raw, **spec: Any) -> Raw:
    """The same with another spec, changed while the webhooks were bypassed."""
    meta = {**server["metadata"], "generation": 2}
    return {**server, "metadata": meta, "spec": {**server["spec"], **spec}}


def test_a_server_without_a_receipt_is_counted_nowhere() -> None:
    usage = ContractUsage(AdmittedServes(verifier_of(KEY)))
    assert update(usage, NAME, make_server("one", replicas=1000)) == set()
    assert usage.used("demo") == Demand()


def granted(server: Raw, replicas: int) -> Raw:
    """The same, after so many replicas of contract `demo` were granted to it."""
    return {**server, "status": {"granted": {"contract": "demo", "replicas": replicas}}}


def test_server_with_an_invalid_receipt_counts_as_granted_in_any_process() -> None:
    usage = ContractUsage(AdmittedServes(verifier_of(KEY)))
    server = with_receipt(make_server("one", replicas=2), KEY)
    assert update(usage, NAME, granted(changed(server, contract="other"), 2)) == {"demo"}
    assert usage.used("demo").replicas == 2
    assert usage.used("other") == Demand()


def test_shrunk_server_counts_as_granted_until_its_rollout_is_complete() -> None:
    usage = ContractUsage(AdmittedServes(verifier_of(KEY)))
    server = with_receipt(make_server("one", replicas=1), KEY)
    update(usage, NAME, granted(server, 5))
    assert usage.others(parsed(total={"replicas": 5}), "demo/other").replicas == 5
    assert update(usage, NAME, granted(server, 1)) == {"demo"}
    assert usage.used("demo").replicas == 1


def test_only_valid_receipts_count_once_the_keys_are_known() -> None:
    admitted = AdmittedServes()
    usage = ContractUsage(admitted)
    update(usage, NAME, server := make_server("one", replicas=1000))
    assert usage.used("demo").replicas == 1000
    assert admitted.use(verifier_of(KEY))
    assert update(usage, NAME, server) == {"demo"}
    assert usage.used("demo") == Demand()
