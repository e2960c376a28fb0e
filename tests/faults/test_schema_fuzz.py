"""Every field of every kind accepts each value that its schema allows, and refuses others.

The operator is a process with admission recheck, store and ledger, one for the whole module.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from tests.faults.admitted import Admission
from tests.faults.crd_fields import Case, cases, fields
from tests.faults.crd_objects import Way, specs, ways
from tests.faults.fuzzing import Ground, Seen, ground, wait_for_servers, wait_for_status
from tests.support import custom_objects
from tests.support.builders.objects import PLURALS, Raw, make_contract, make_model, make_modelserve
from tests.support.ledger import create_ledger
from tests.support.operator.site import Site

pytestmark = pytest.mark.timeout(900)
"""Each test creates hundreds of objects."""

AT_ONCE: Final = 8
HEALS: Final = (
    "refused with a message that names the field, or applied, or a condition gives the reason"
)
NOT_IN_PODS: Final = ("modelName", "modelUuid", "minioEndpoint", "minioBucket", "minioPath")
FULL: Final[Raw] = {
    "replicas": 3,
    "runtimeParams": {
        "contextSize": 65536,
        "parallel": 4,
        "threads": 2,
        "flashAttention": "on",
        "mode": "Embedding",
        "extraArgs": ["--temp", "0.7"],
    },
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": "1"}},
    "config": {
        "image": "other:1",
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"zone": "a", "disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "low",
        "runtimeClassName": "nvidia",
        "podLabels": {"team": "a"},
        "podAnnotations": {"example.com/owner": "alice"},
        "terminationGracePeriodSeconds": 0,
    },
}
"""Many fields of a ModelServe; Hypothesis covers the others."""
GENERATED: Final = settings(
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def fuzzed(
    apiserver: ApiServer,
    servers: Site,
    database: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ground]:
    """An operator with its dependencies."""
    folder = tmp_path_factory.mktemp("fuzz")
    ledger = asyncio.run(create_ledger(database, folder))
    with ground(apiserver, servers, ledger, folder) as found:
        yield found


@pytest.fixture
def admission(api: client.ApiClient, fuzzed: Ground) -> Admission:
    """Signs receipts for ModelServes."""
    return Admission(api=api, key=fuzzed.key)


def body_of(kind: str, spec: Raw, fuzzed: Ground) -> Raw:
    """An object that is valid except for `spec`."""
    match kind:
        case "Model":
            source = spec.get("source", {"quant": {"modelId": "unknown"}})
            return make_model(**{**spec, "source": source})
        case "ModelServe":
            base = {"modelName": fuzzed.model, "contract": fuzzed.contract}
            return make_modelserve(fuzzed.namespace, **{**base, **spec})
        case _:
            return make_contract(**spec)


async def create(admission: Admission, bodies: Sequence[Raw]) -> list[str]:
    """Create them; returns the API server's error message for each, or an empty text."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(body: Raw) -> str:
        make = admission.create if body["kind"] == "ModelServe" else _plainly(admission)
        async with slots:
            try:
                await make(body)
            except client.ApiException as error:
                if 400 <= (error.status or 0) < 500:
                    return str(json.loads(error.body or "{}")["message"])
                raise
            return ""

    return await asyncio.gather(*map(one, bodies))


def _plainly(admission: Admission) -> Callable[[Raw], Awaitable[Raw]]:
    return lambda body: custom_objects.create(admission.api, body)


def surprise(case: Case, message: str) -> str:
    """Error in the API server's answer to a case; empty if there is none."""
    if case.fits is True and message:
        return f"{case}: refused: {message}"
    if case.fits is False and not message:
        return f"{case}: not refused"
    if message and case.field.name not in message:
        return f"{case}: not named in: {message}"
    return ""


def unexplained(found: Seen) -> str:
    """Error in the final state of a ModelServe; empty if it runs or its condition explains it."""
    spec, ready = found.body["spec"], found.ready
    if ready["reason"] in ("Progressing", "ScaledToZero"):
        replicas = found.children.get("Deployment", {}).get("spec", {}).get("replicas")
        return "" if replicas == spec["replicas"] else f"{spec}: {replicas} replicas"
    why = ready["status"] == "False" and ready["message"]
    return "" if why else f"{spec}: {ready}"


@pytest.mark.fault("R24", heals=HEALS)
@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
async def test_every_value_is_refused_or_reported(
    admission: Admission, fuzzed: Ground, kind: str
) -> None:
    tried = [case for field in fields(kind) for case in cases(field)]
    bodies = [body_of(kind, case.spec, fuzzed) for case in tried]
    answers = await create(admission, bodies)
    assert [text for text in map(surprise, tried, answers) if text] == []
    found = await wait_for_status(admission.api, PLURALS[kind])
    accepted = [
        body["metadata"]["name"] for body, answer in zip(bodies, answers, strict=True) if not answer
    ]
    assert set(accepted) <= found.keys()
    fuzzed.check_health()


@pytest.mark.fault("R24", heals=HEALS)
async def test_every_value_of_a_modelserve_is_refused_applied_or_reported(
    admission: Admission, fuzzed: Ground
) -> None:
    tried = [case for field in fields("ModelServe") for case in cases(field)]
    bodies = [body_of("ModelServe", case.spec, fuzzed) for case in tried]
    plain = body_of("ModelServe", {}, fuzzed)
    answers = await create(admission, bodies)
    assert await create(admission, [plain]) == [""]
    assert [text for text in map(surprise, tried, answers) if text] == []
    found = await wait_for_servers(admission.api, fuzzed)
    accepted = [
        (case, found[body["metadata"]["name"]])
        for case, body, answer in zip(tried, bodies, answers, strict=True)
        if not answer
    ]
    assert [text for _, each in accepted if (text := unexplained(each))] == []
    without_effect = found[plain["metadata"]["name"]].children
    assert [str(case) for case, each in accepted if ignored(case, each, without_effect)] == []
    fuzzed.check_health()


def ignored(case: Case, found: Seen, plain: Any) -> bool:
    """Whether a value had no effect although it differs from the default."""
    default = case.field.schema.get("default")
    nothing = case.value in (default, None, "", [], {}) and case.value != 0
    rollout = (("strategy", "Surge"), ("maxSurge", 1), ("maxUnavailable", 0))
    alike = (("imagePullPolicy", "IfNotPresent"), ("cacheRamMiB", 0), *rollout)
    same = (case.field.name, case.value) in alike
    elsewhere = case.field.name in (*NOT_IN_PODS, "contract")
    return not (nothing or same or elsewhere) and found.children == plain


async def check_way(admission: Admission, fuzzed: Ground, taken: Sequence[Way]) -> None:
    """Check that a changed ModelServe has the same children as a new one with its spec."""
    firsts, seconds, walkers = (
        [body_of("ModelServe", spec, fuzzed) for spec in specs_]
        for specs_ in zip(*((way.first, way.second, way.first) for way in taken), strict=True)
    )
    answers = await create(admission, [*firsts, *seconds, *walkers])
    count, names = len(taken), [body["metadata"]["name"] for body in (*firsts, *seconds)]
    going = [place for place in range(count) if not (answers[place] or answers[place + count])]
    for goal in (seconds, firsts):
        for place in going:
            await admission.respec(walkers[place], goal[place]["spec"])
        found = await wait_for_servers(admission.api, fuzzed)
        for place in going:
            fresh = found[goal[place]["metadata"]["name"]]
            walker = found[walkers[place]["metadata"]["name"]]
            assert unexplained(walker) == ""
            if fresh.ready["reason"] in ("Progressing", "ScaledToZero"):
                assert walker.ready["reason"] == fresh.ready["reason"], (taken[place], walker.ready)
                assert walker.children == fresh.children, taken[place]
    assert [text for name in names if name in found and (text := unexplained(found[name]))] == []


@pytest.mark.fault(
    "R24", heals="children are as if the server had been created with its current spec"
)
async def test_removed_fields_are_removed_from_the_children(
    admission: Admission, fuzzed: Ground
) -> None:
    await check_way(admission, fuzzed, [Way({}, FULL), Way(FULL, {})])
    fuzzed.check_health()


@pytest.mark.fault(
    "R24", heals="children are as if the server had been created with its current spec"
)
@settings(GENERATED, max_examples=4)
@given(taken=st.lists(ways(), min_size=4, max_size=4))
async def test_server_changed_and_changed_back_has_its_original_children(
    admission: Admission, fuzzed: Ground, taken: list[Way]
) -> None:
    await check_way(admission, fuzzed, taken)
    fuzzed.check_health()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.fault(
    "R24", heals="children are as if the server had been created with its current spec"
)
@settings(GENERATED, max_examples=40)
@given(taken=st.lists(ways(), min_size=6, max_size=6))
async def test_any_change_between_specs_leaves_nothing_of_the_old_one(
    admission: Admission, fuzzed: Ground, taken: list[Way]
) -> None:
    await check_way(admission, fuzzed, taken)
    fuzzed.check_health()


@pytest.mark.fault("R24", heals=HEALS)
@settings(GENERATED, max_examples=3)
@given(
    contracts=st.lists(specs("ResourceContract"), min_size=4, max_size=4),
    servers=st.lists(specs("ModelServe", *NOT_IN_PODS, "contract"), min_size=4, max_size=4),
)
async def test_any_server_under_any_contract_gets_a_status(
    admission: Admission, fuzzed: Ground, contracts: list[Raw], servers: list[Raw]
) -> None:
    agreed = [body_of("ResourceContract", spec, fuzzed) for spec in contracts]
    await create(admission, agreed)
    named = [each["metadata"]["name"] for each in agreed]
    bodies = [
        body_of("ModelServe", {**spec, "contract": name}, fuzzed)
        for spec in servers
        for name in named
    ]
    await create(admission, bodies)
    found = await wait_for_servers(admission.api, fuzzed)
    assert [text for each in found.values() if (text := unexplained(each))] == []
    await wait_for_status(admission.api, "resourcecontracts")
    fuzzed.check_health()
