"""The sums that the webhooks keep, against adding up all."""

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract import Reservation
from roadstead.api.demand import Demand
from roadstead.kube.resources import MODELSERVES
from roadstead.policy.contract_load import load
from roadstead_webhooks.admission.counting import CountingCache
from tests.support.builders.reviews import thing

NAMES = st.sampled_from(["a", "b", "c", "d"])
PUTS = st.tuples(NAMES, st.sampled_from(["x", "y"]), st.integers(0, 5))


def stored(name: str, contract: str, replicas: int, version: int) -> dict[str, object]:
    spec = {
        "modelName": "m",
        "contract": contract,
        "replicas": replicas,
        "resources": {"limits": {"cpu": "100m", "memory": "1Gi", "nvidia.com/gpu": 1}},
    }
    return thing(spec=spec, name=name, uid=name, resourceVersion=str(version))


@given(
    st.lists(PUTS | NAMES, max_size=20),
    st.lists(st.tuples(NAMES, st.integers(0, 5)), max_size=6),
    NAMES,
)
def test_sums_are_those_of_adding_up_all(
    steps: list[tuple[str, str, int] | str], reserved: list[tuple[str, int]], own: str
) -> None:
    cache = CountingCache()
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
        counted = cache.counted(contract)
        expected = load(counted, reservations, without=f"demo/{own}")
        assert cache.load(contract, reservations, without=f"demo/{own}") == expected


def test_server_is_counted_at_what_it_takes() -> None:
    cache = CountingCache()
    cache.put(MODELSERVES, stored("a", "x", 2, 1))
    expected = Demand(servers=1, replicas=2, cpu_milli=200, memory_bytes=2 * 2**30, gpu=2)
    assert cache.counted("x") == {"demo/a": expected}
