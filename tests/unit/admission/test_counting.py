"""The webhooks' incremental sums equal the sum over all servers."""

import dataclasses
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand, total
from roadstead.api.contract.resource_contract import Reservation
from roadstead.api.references import by_name
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.resources import MODELSERVES
from roadstead.policy.contract.contract_share import Counted
from roadstead.tokens.receipt_keys import SigningKey
from roadstead_webhooks.admission.counting import CountingCache
from tests.support.builders.objects import Raw
from tests.support.builders.reviews import thing
from tests.support.receipts import verifier_of, with_receipt

KEY = SigningKey.generate()

NAMES = st.sampled_from(["a", "b", "c", "d"])
PUTS = st.tuples(NAMES, st.sampled_from(["x", "y"]), st.integers(0, 5))


def stored(name: str, contract: str, replicas: int, version: int) -> Raw:
    spec = {
        "modelName": "m",
        "contract": contract,
        "replicas": replicas,
        "resources": {"limits": {"cpu": "100m", "memory": "1Gi", "nvidia.com/gpu": 1}},
    }
    return thing(spec=spec, name=name, uid=name, resourceVersion=str(version))


def load(
    counted: Mapping[str, Counted], reservations: Sequence[Reservation], *, without: str
) -> Demand:
    """Return the sum over all servers but one."""
    taken = {key: each.demand for key, each in counted.items()}
    for each in reservations:
        taken[each.key] = taken.get(each.key, Demand()) | each.demand
    return total(each for key, each in taken.items() if key != without)


@given(
    st.lists(PUTS | NAMES, max_size=20),
    st.lists(st.tuples(NAMES, st.integers(0, 5)), max_size=6),
    NAMES,
)
def test_sums_equal_the_sum_over_all_servers(
    steps: list[tuple[str, str, int] | str], reserved: list[tuple[str, int]], own: str
) -> None:
    cache = CountingCache(AdmittedServes())
    for version, step in enumerate(steps, start=1):
        if isinstance(step, str):
            cache.remove(MODELSERVES, ("demo", step))
        else:
            cache.put(MODELSERVES, stored(*step, version))
    reservations = [
        Reservation(key=f"demo/{name}", demand=Demand(servers=1, replicas=count), at="")
        for name, count in reserved
    ]
    for contract in ("x", "y"):
        expected = load(cache.counted(contract), reservations, without=f"demo/{own}")
        assert cache.load(contract, reservations, without=f"demo/{own}") == expected


def test_server_counts_with_its_demand() -> None:
    cache = CountingCache(AdmittedServes())
    cache.put(MODELSERVES, stored("a", "x", 2, 1))
    expected = Demand(servers=1, replicas=2, cpu_milli=200, memory_bytes=2 * 2**30, gpu=2)
    expected = dataclasses.replace(expected, resources={"nvidia.com/gpu": 2})
    assert cache.counted("x")["demo/a"].demand == expected


def test_reservation_of_a_counted_server_adds_nothing_for_missing_resources() -> None:
    cache = CountingCache(AdmittedServes())
    cache.put(MODELSERVES, stored("a", "x", 2, 1))
    seen = cache.counted("x")["demo/a"].demand
    kept = Reservation(key="demo/a", demand=seen.only(()), at="")
    assert cache.load("x", [kept], without="") == seen
    grown = dataclasses.replace(seen, resources={"nvidia.com/gpu": 9})
    assert cache.load("x", [dataclasses.replace(kept, demand=grown)], without="") == grown


def signed(name: str, replicas: int, version: int) -> Raw:
    """Return an admitted server of contract `x`."""
    return with_receipt(stored(name, "x", replicas, version), KEY)


def taken(cache: CountingCache, contract: str = "x") -> Demand:
    return cache.load(contract, (), without="")


def test_server_without_a_receipt_does_not_count() -> None:
    cache = CountingCache(AdmittedServes(verifier_of(KEY)))
    cache.put(MODELSERVES, stored("forged", "x", 1000, 1))
    cache.put(MODELSERVES, signed("mine", 1, 1))
    assert taken(cache).replicas == 1
    (user,) = cache.users(by_name("m"))
    assert user.meta.name == "mine"


def granted(raw: Raw, replicas: int) -> Raw:
    """Return the server with that many replicas of contract `x` granted."""
    return {**raw, "status": {"granted": {"contract": "x", "replicas": replicas}}}


def test_server_with_an_invalid_receipt_counts_as_granted_in_any_process() -> None:
    cache = CountingCache(AdmittedServes(verifier_of(KEY)))
    cache.put(MODELSERVES, granted(stored("one", "y", 1000, 2), 2))
    assert (taken(cache).replicas, taken(cache, "y").replicas) == (2, 0)
    cache.remove(MODELSERVES, ("demo", "one"))
    assert taken(cache) == Demand()


def test_shrunk_server_counts_as_granted_until_its_rollout_completes() -> None:
    cache = CountingCache(AdmittedServes(verifier_of(KEY)))
    cache.put(MODELSERVES, granted(signed("one", 1, 1), 5))
    assert taken(cache).replicas == 5
    cache.put(MODELSERVES, granted(signed("one", 1, 2), 1))
    assert taken(cache).replicas == 1


def test_recreated_server_with_an_admitted_servers_name_does_not_count() -> None:
    cache = CountingCache(AdmittedServes(verifier_of(KEY)))
    cache.put(MODELSERVES, signed("one", 2, 1))
    again = stored("one", "x", 1000, 2)
    cache.put(MODELSERVES, {**again, "metadata": {**again["metadata"], "uid": "another"}})
    assert taken(cache) == Demand()


def test_server_counts_while_the_key_of_its_receipt_is_known() -> None:
    admitted = AdmittedServes(verifier_of())
    cache = CountingCache(admitted)
    cache.put(MODELSERVES, granted(signed("one", 3, 1), 2))
    seen = []
    for keys in ((KEY,), (), (KEY,)):
        admitted.use(verifier_of(*keys))
        cache.recount()
        seen.append(taken(cache).replicas)
    assert seen == [3, 2, 3]
