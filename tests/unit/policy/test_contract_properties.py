"""Properties of every contract and every ModelServe."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.policy.contract.contract_choice import Offer, choose
from roadstead.policy.contract.contract_policy import (
    Caller,
    ContractFacts,
    covers,
    explain,
    violations,
)
from roadstead.policy.memory_fit import memory_fit
from tests.support.builders.resources import make_model
from tests.unit.policy.contracts import NOW, make_contract, make_demanding, make_facts

_COUNTS = st.integers(0, 6)
_LIMITS = {
    "replicas": _COUNTS,
    "cpu": st.integers(0, 9).map(lambda number: f"{number * 500}m"),
    "memory": st.integers(0, 9).map(lambda number: f"{number}Gi"),
    "gpu": _COUNTS,
}
_PER_SERVER = st.fixed_dictionaries({}, optional=_LIMITS)
_TOTAL = st.fixed_dictionaries({}, optional={**_LIMITS, "servers": _COUNTS})
_OTHERS = st.builds(
    Demand,
    servers=_COUNTS,
    replicas=_COUNTS,
    cpu_milli=st.integers(0, 5000),
    memory_bytes=st.integers(0, 9 * 2**30),
    gpu=_COUNTS,
)
_RESOURCES = st.fixed_dictionaries(
    {
        "cpu": st.integers(0, 3000).map(lambda milli: f"{milli}m"),
        "memory": st.integers(0, 4 * 2**30),
        "nvidia.com/gpu": st.integers(0, 3),
    }
)


def asked(resources: dict[str, Any], replicas: int) -> ModelServe:
    return make_demanding(replicas, resources={"limits": resources})


def over(serve: ModelServe, limits: dict[str, Any], others: Demand) -> bool:
    """The oracle: the limits of the contract, compared amount by amount."""
    limit = serve.resources["limits"]
    wanted = {
        "servers": 1,
        "replicas": serve.replicas,
        "cpu": serve.replicas * int(limit["cpu"].removesuffix("m")),
        "memory": serve.replicas * limit["memory"],
        "gpu": serve.replicas * limit["nvidia.com/gpu"],
    }
    taken = {
        "servers": others.servers,
        "replicas": others.replicas,
        "cpu": others.cpu_milli,
        "memory": others.memory_bytes,
        "gpu": others.gpu,
    }
    units = {"cpu": ("m", 1), "memory": ("Gi", 2**30)}
    for name, bound in limits.items():
        suffix, factor = units.get(name, ("", 1))
        most = int(str(bound).removesuffix(suffix)) * factor
        if wanted[name] and wanted[name] + taken[name] > most:
            return True
    return False


@given(_RESOURCES, _COUNTS, _PER_SERVER, _TOTAL, _OTHERS)
def test_server_is_allowed_exactly_if_no_limit_is_exceeded(
    resources: dict[str, Any],
    replicas: int,
    per_server: dict[str, Any],
    total: dict[str, Any],
    others: Demand,
) -> None:
    serve = asked(resources, replicas)
    facts = make_facts(make_contract(perServer=per_server, total=total), serve=serve, others=others)
    exceeded = over(serve, per_server, Demand()) or over(serve, total, others)
    assert bool(violations(facts)) == exceeded


@given(_RESOURCES, st.integers(0, 3), _PER_SERVER, _TOTAL, _OTHERS, _OTHERS, st.integers(0, 3))
def test_more_demand_never_removes_a_violation(
    resources: dict[str, Any],
    replicas: int,
    per_server: dict[str, Any],
    total: dict[str, Any],
    others: Demand,
    more: Demand,
    grown: int,
) -> None:
    contract = make_contract(perServer=per_server, total=total)
    less = violations(make_facts(contract, serve=asked(resources, replicas), others=others))
    larger = make_facts(contract, serve=asked(resources, replicas + grown), others=others + more)
    after = {(each.reason, each.field) for each in violations(larger)}
    assert {(each.reason, each.field) for each in less} <= after


_TEXT = st.text(max_size=6) | st.sampled_from(["demo", "alice", "*", "1Gi", "1e9Gi", "-1", "0.5m"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


def parts(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields, with arbitrary values."""
    return st.dictionaries(st.sampled_from(names), _JSON)


def serve_of(spec: dict[str, Any]) -> ModelServe:
    """A ModelServe with this spec."""
    return make_demanding(**spec)


_CONTRACTS = st.fixed_dictionaries(
    {
        "namespaces": st.just({"names": ["*"]}) | _JSON,
        "authorization": st.just({"groups": ["a"]}) | _JSON,
        "models": st.just(["*"]) | _JSON,
    },
    optional={
        "perServer": parts("servers", "replicas", "cpu", "memory", "gpu"),
        "total": parts("servers", "replicas", "cpu", "memory", "gpu"),
        "runtimeParams": parts("maxContextSize", "maxThreads", "extraArgs", "forbiddenExtraArgs"),
        "config": parts(
            *("images", "priorityClassNames", "tolerations", "nodeSelector"),
            *("podAnnotations", "maxTerminationGracePeriodSeconds"),
        ),
        "expiresAt": _JSON,
        "enforcement": _JSON,
    },
).map(lambda spec: ResourceContract.parse({"metadata": {"name": "x"}, "spec": spec}))
_SERVES = st.fixed_dictionaries(
    {"modelName": _TEXT},
    optional={
        "resources": st.dictionaries(
            st.sampled_from(["limits", "requests"]), parts("cpu", "memory", "x/gpu") | _JSON
        ),
        "runtimeParams": parts("contextSize", "threads", "gpuLayers", "extraArgs"),
        "config": parts("image", "priorityClassName", "tolerations", "nodeSelector"),
        "contract": _TEXT,
        "modelUuid": _TEXT,
    },
).map(serve_of)
_CALLERS = st.builds(
    Caller,
    subject=_TEXT,
    groups=st.frozensets(st.sampled_from("abc")),
    scopes=st.frozensets(st.sampled_from("xy")),
)


@given(_CONTRACTS, _SERVES, _CALLERS, st.integers(0, 1000))
def test_any_contract_and_server_have_a_result(
    contract: ResourceContract,
    serve: ModelServe,
    caller: Caller,
    replicas: int,
) -> None:
    facts = ContractFacts(
        serve=serve,
        replicas=replicas,
        caller=caller,
        namespace_labels={},
        contract=contract,
        now=NOW,
        memory=memory_fit(serve, make_model(), to_deny=True),
    )
    found = violations(facts)
    assert all(each.reason.isidentifier() and each.message for each in found)
    assert bool(explain(found)) == bool(found)
    if not found:
        assert covers(contract, "demo", {}, caller, serve.model_name)
        assert contract.in_force(NOW)


@given(st.lists(_CONTRACTS, max_size=4), _SERVES, _CALLERS)
def test_a_choice_without_violations_is_a_contract_that_covers(
    contracts: list[ResourceContract], serve: ModelServe, caller: Caller
) -> None:
    offers = [Offer(contract=contract) for contract in contracts]
    choice = choose(offers, make_facts(serve=serve, caller=caller))
    if choice.contract is None:
        assert choice.violations
    elif not choice.violations:
        assert covers(choice.contract, "demo", {}, caller, serve.model_name)


@given(st.lists(st.sampled_from("abcd"), unique=True, min_size=1).flatmap(st.permutations))
def test_the_order_in_which_contracts_are_listed_does_not_matter(names: list[str]) -> None:
    offers = [Offer(contract=make_contract(name)) for name in names]
    choice = choose(offers, make_facts())
    assert choice.contract is not None
    assert choice.contract.meta.name == min(names)
