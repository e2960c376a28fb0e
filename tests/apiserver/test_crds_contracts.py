"""The ResourceContract's schema, as the API server enforces it."""

import dataclasses

import pytest
from kubernetes.aio import client

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from tests.support.builders.objects import Raw, make_condition, make_contract
from tests.support.custom_objects import create, patch, refusal

QUANTITY = "write a quantity that is not negative"
NAMESPACES = "spec.namespaces: Invalid value: write names"
CLAIMS = "spec.authorization: Invalid value: write at least one of subjects, groups and scopes"
RESOURCE = "write ephemeral-storage or an extended resource"
NEVER_USED = "so it could never be used"


def expressions(*items: Raw) -> Raw:
    """Namespaces by matchExpressions."""
    return {"namespaces": {"selector": {"matchExpressions": list(items)}}}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"namespaces": {"names": ["team-a", "team-?-*", "*"]}}, id="globs"),
        pytest.param({"namespaces": {"selector": {"matchLabels": {"team": "a"}}}}, id="selector"),
        pytest.param({"namespaces": {"selector": {}}}, id="every-namespace"),
        pytest.param(
            {
                "perServer": {"resources": {"nvidia.com/gpumem": 3000}},
                "total": {"resources": {"nvidia.com/gpumem": "6k", "ephemeral-storage": "1Gi"}},
            },
            id="resources",
        ),
        pytest.param(
            expressions(
                {"key": "team", "operator": "In", "values": ["a", "b"]},
                {"key": "test", "operator": "DoesNotExist"},
            ),
            id="expressions",
        ),
        pytest.param({"authorization": {"subjects": ["alice"]}}, id="subjects"),
        pytest.param({"authorization": {"scopes": ["serve"]}}, id="scopes"),
        pytest.param({"models": ["gemma-*", "qwen2.5-?b"]}, id="models"),
        pytest.param({"perServer": {"cpu": 4}, "total": {"memory": "64Gi"}}, id="unlike-limits"),
        pytest.param(
            {
                "perServer": {"replicas": 2, "cpu": "4000m", "memory": "8Gi", "gpu": 1},
                "total": {"servers": 1, "replicas": 2, "cpu": 4, "memory": "8192Mi", "gpu": 1},
            },
            id="one-server-takes-it-all",
        ),
        pytest.param({"total": {"servers": 0, "cpu": "0"}}, id="nothing-may-run"),
        pytest.param(
            {"runtimeParams": {"maxContextSize": 8192, "forbiddenExtraArgs": ["--temp", "-C"]}},
            id="runtime-params",
        ),
        pytest.param(
            {
                "config": {
                    "images": ["*", "r.example.com:5000/a/b@sha256:*"],
                    "priorityClassNames": ["team-a-*"],
                    "runtimeClassNames": ["nvidia"],
                    "podAnnotations": ["note", "example.com/*", "*"],
                    "tolerations": "Allow",
                }
            },
            id="config",
        ),
        pytest.param({"enforcement": "Drain", "expiresAt": "2030-01-01T00:00:00Z"}, id="expires"),
    ],
)
async def test_valid_contract_is_accepted(api: client.ApiClient, spec: Raw) -> None:
    stored = await create(api, make_contract(**spec))
    assert stored["spec"].keys() >= spec.keys()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"namespaces": {}}, NAMESPACES, id="no-namespace"),
        pytest.param({"namespaces": {"names": []}}, NAMESPACES, id="no-names"),
        pytest.param({"namespaces": {"names": ["A"]}}, "such as team-a or team-*", id="name"),
        pytest.param({"namespaces": {"names": ["a", "a"]}}, "Duplicate value", id="name-twice"),
        pytest.param(
            {"namespaces": {"names": ["a" * 64]}}, "names[0]: Too long", id="name-too-long"
        ),
        pytest.param(
            expressions({"key": "team", "operator": "In"}),
            "operators In and NotIn need values",
            id="in-without-values",
        ),
        pytest.param(
            expressions({"key": "team", "operator": "Exists", "values": ["a"]}),
            "Exists and DoesNotExist take none",
            id="exists-with-values",
        ),
        pytest.param(expressions({"key": "t", "operator": "Gt"}), "supported values", id="gt"),
        pytest.param({"authorization": {}}, CLAIMS, id="nobody"),
        pytest.param({"authorization": {"groups": []}}, CLAIMS, id="empty-groups"),
        pytest.param({"authorization": {"groups": [""]}}, "groups[0]", id="empty-group"),
        pytest.param({"models": []}, "should have at least 1 items", id="no-models"),
        pytest.param({"models": ["Gemma"]}, "such as gemma-3-270m or gemma-*", id="model-name"),
        pytest.param(
            {"perServer": {"replicas": 3}, "total": {"replicas": 2}},
            f"perServer.replicas is more than total.replicas, {NEVER_USED}",
            id="replicas",
        ),
        pytest.param(
            {"perServer": {"cpu": "4001m"}, "total": {"cpu": 4}},
            f"perServer.cpu is more than total.cpu, {NEVER_USED}",
            id="cpu",
        ),
        pytest.param(
            {"perServer": {"memory": "8Gi"}, "total": {"memory": "8G"}},
            f"perServer.memory is more than total.memory, {NEVER_USED}",
            id="memory",
        ),
        *(
            pytest.param({part: {"resources": {name: 1}}}, RESOURCE, id=f"{part}-{name[:9]}")
            for part in ("perServer", "total")
            for name in ("cpu", "memory", "gpu", "a b/c", "a/" + "b" * 316)
        ),
        pytest.param({"total": {"resources": {"a.com/b": "-1"}}}, QUANTITY, id="resource-below-0"),
        pytest.param(
            {"perServer": {"resources": {"a.com/b": "x"}}, "total": {"resources": {"a.com/b": 1}}},
            QUANTITY,
            id="resource-that-is-no-quantity",
        ),
        pytest.param(
            {"total": {"resources": {f"a.com/{number}": 1 for number in range(9)}}},
            "Too many",
            id="too-many-resources",
        ),
        pytest.param(
            {
                "perServer": {"resources": {"a.com/a": 1, "a.com/b": "2k"}},
                "total": {"resources": {"a.com/b": 1999}},
            },
            f"perServer.resources has more of a resource than total.resources, {NEVER_USED}",
            id="resources",
        ),
        pytest.param(
            {"perServer": {"gpu": 2}, "total": {"gpu": 1}},
            f"perServer.gpu is more than total.gpu, {NEVER_USED}",
            id="gpu",
        ),
        pytest.param({"perServer": {"cpu": "-1"}}, QUANTITY, id="server-cpu"),
        pytest.param({"perServer": {"memory": "8 GB"}}, QUANTITY, id="server-memory"),
        pytest.param({"total": {"cpu": -1}}, QUANTITY, id="total-cpu"),
        pytest.param({"total": {"memory": "1e9Gi"}}, QUANTITY, id="total-memory"),
        pytest.param(
            {"runtimeParams": {"extraArgs": "No"}}, 'supported values: "Allow", "Forbid"', id="args"
        ),
        pytest.param(
            {"runtimeParams": {"forbiddenExtraArgs": ["--temp 0.7"]}},
            "write a flag without its value",
            id="flag-with-value",
        ),
        pytest.param(
            {"enforcement": "Kill"}, 'supported values: "Drain", "Report"', id="enforcement"
        ),
        pytest.param({"config": {"images": ["a b"]}}, "write an image or a glob", id="image"),
        pytest.param(
            {"config": {"priorityClassNames": ["A"]}}, "such as batch or team-a-*", id="priority"
        ),
        pytest.param(
            {"config": {"podAnnotations": ["a b"]}}, "such as example.com/owner", id="annotation"
        ),
        pytest.param({"expiresAt": "tomorrow"}, "must be of type date-time", id="expires"),
        pytest.param({"limits": {}}, 'unknown field "spec.limits"', id="unknown-field"),
    ],
)
async def test_invalid_contract_is_denied(api: client.ApiClient, spec: Raw, message: str) -> None:
    assert message in await refusal(create(api, make_contract(**spec)))


@pytest.mark.parametrize("field", ["namespaces", "authorization", "models"])
async def test_incomplete_contract_is_denied(api: client.ApiClient, field: str) -> None:
    body = make_contract()
    del body["spec"][field]
    assert f"spec.{field}: Required value" in await refusal(create(api, body))


@pytest.mark.parametrize(
    ("section", "field", "low", "high"),
    [
        pytest.param("perServer", "replicas", 0, 1000, id="perServer.replicas"),
        pytest.param("perServer", "gpu", 0, 100000, id="perServer.gpu"),
        pytest.param("total", "servers", 0, 100000, id="total.servers"),
        pytest.param("total", "replicas", 0, 1000000, id="total.replicas"),
        pytest.param("total", "gpu", 0, 100000, id="total.gpu"),
        pytest.param("runtimeParams", "maxContextSize", 256, 10485760, id="maxContextSize"),
        pytest.param("runtimeParams", "maxParallel", 1, 256, id="maxParallel"),
        pytest.param("runtimeParams", "maxThreads", 1, 1024, id="maxThreads"),
        pytest.param("runtimeParams", "maxBatchSize", 1, 65536, id="maxBatchSize"),
        pytest.param("runtimeParams", "maxGpuLayers", 0, 100000, id="maxGpuLayers"),
        pytest.param("runtimeParams", "maxCacheRamMiB", 0, 1048576, id="maxCacheRamMiB"),
        pytest.param("runtimeParams", "maxContextCheckpoints", 0, 1024, id="maxContextCheckpoints"),
        pytest.param("config", "maxTerminationGracePeriodSeconds", 0, 3600, id="grace"),
    ],
)
async def test_number_outside_its_bounds_is_denied(
    api: client.ApiClient, section: str, field: str, low: int, high: int
) -> None:
    contract = await create(api, make_contract())
    for value in (low, high):
        changed = await patch(api, contract, {"spec": {section: {field: value}}})
        assert changed["spec"][section][field] == value
    for value in (low - 1, high + 1):
        refused = await refusal(patch(api, contract, {"spec": {section: {field: value}}}))
        assert f"spec.{section}.{field}: Invalid value: {value}: " in refused


async def test_defaults_are_filled_in(api: client.ApiClient) -> None:
    stored = await create(api, make_contract())
    assert stored["spec"]["enforcement"] == "Report"
    assert stored["spec"]["runtimeParams"] == {"extraArgs": "Allow"}
    assert stored["spec"]["config"] == {
        "tolerations": "Forbid", "imagePullSecrets": "Forbid", "nodeSelector": "Allow",
    }  # fmt: skip
    assert not {"perServer", "total", "expiresAt"} & stored["spec"].keys()


async def test_full_status_is_stored(api: client.ApiClient) -> None:
    contract = await create(api, make_contract())
    status = {
        "observedGeneration": 1,
        "used": {"servers": 3, "replicas": 5, "cpu": "2500m", "memory": "8Gi", "gpu": 0},
        "usedText": {"servers": "3/10", "gpu": "0"},
        "reservations": ["demo/gemma - 1 500m 2Gi 0 2030-01-01T00:00:00Z"],
        "conditions": [make_condition("Ready", "True", "Ready")],
    }
    assert (await patch(api, contract, {"status": status}, "status"))["status"] == status


async def test_use_and_reservations_are_stored_unchanged(api: client.ApiClient) -> None:
    used = Demand(
        servers=2,
        replicas=3,
        cpu_milli=2500,
        memory_bytes=3 * 2**29,
        gpu=1,
        resources={"nvidia.com/gpumem": 2**63 - 1},
    )
    taken = dataclasses.replace(used, servers=1)
    reservation = Reservation(key="demo/gemma", demand=taken, at="2030-01-01T00:00:00Z", uid="u")
    status = {"used": used.to_json(), "reservations": [reservation.to_json()]}
    contract = await create(api, make_contract())
    stored = await patch(api, contract, {"status": status}, "status")
    assert stored["status"] == status
    parsed = ResourceContract.parse(stored)
    assert (parsed.used, parsed.reservations) == (used, (reservation,))
