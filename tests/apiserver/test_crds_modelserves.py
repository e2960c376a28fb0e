"""The ModelServe's schema, as the API server enforces it."""

from typing import Any

import pytest
from kubernetes.aio import client

from tests.support.builders.objects import Raw, make_condition, make_modelserve
from tests.support.custom_objects import create, get, patch, refusal

UUID = "0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"
NO_MODEL = "spec: Invalid value: write modelName"
QUANTITY = "write a quantity that is not negative"
OWN_LABELS = "are the operator's: choose a prefix of your own"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"modelName": "gemma-3-270m"}, id="by-name"),
        pytest.param({"modelUuid": UUID}, id="by-uuid"),
        pytest.param({"modelName": "gemma.v3", "modelUuid": UUID}, id="by-both"),
        pytest.param({"minioEndpoint": "http://minio:9000", "minioBucket": "models"}, id="store"),
        pytest.param({"minioPath": "models/a.gguf", "contract": "team-a"}, id="contract"),
        pytest.param({"minioPath": "模型/a b?c#d%41🦙.gguf"}, id="key-with-any-characters"),
        pytest.param({"resources": {"requests": {"cpu": 1}}}, id="request-without-limit"),
        pytest.param({"resources": {"limits": {"memory": "1e9"}}}, id="limit-without-request"),
        pytest.param(
            {"resources": {"requests": {"cpu": "1000m"}, "limits": {"cpu": 1}}},
            id="same-quantity-written-otherwise",
        ),
        pytest.param(
            {"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}}},
            id="extended-resource",
        ),
        pytest.param(
            {"resources": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": 1}}},
            id="extended-resource-as-text-and-number",
        ),
        pytest.param({"config": {"image": "r.example.com:5000/a/b@sha256:00"}}, id="image"),
        pytest.param({"config": {"imagePullSecrets": [{"name": "a"}, {"name": "b"}]}}, id="pull"),
        pytest.param({"config": {"tolerations": [{"operator": "Exists"}]}}, id="tolerate-all"),
        pytest.param(
            {
                "config": {
                    "tolerations": [
                        {"key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60}
                    ]
                }
            },
            id="tolerate-for-a-while",
        ),
        pytest.param(
            {"config": {"podLabels": {"team": ""}, "podAnnotations": {"example.com/a": "b c"}}},
            id="labels",
        ),
        pytest.param({"rollout": {"strategy": "Recreate"}}, id="recreate"),
        pytest.param({"rollout": {"maxSurge": 0, "maxUnavailable": 2}}, id="old-pods-first"),
    ],
)
async def test_valid_modelserve_is_accepted(
    api: client.ApiClient, namespace: str, spec: Raw
) -> None:
    stored = await create(api, make_modelserve(namespace, **spec))
    assert stored["spec"].keys() >= spec.keys()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"modelName": "Gemma_3"}, "write the name of a Model", id="model-name"),
        pytest.param({"modelUuid": UUID.upper()}, "write a UUID in lower case", id="uuid"),
        pytest.param({"minioEndpoint": "minio"}, "write http://HOST[:PORT]", id="endpoint"),
        pytest.param({"minioBucket": "x" * 64}, "spec.minioBucket: Too long", id="bucket-long"),
        pytest.param({"minioBucket": "a_b"}, "write the name of a bucket", id="bucket"),
        pytest.param({"minioPath": "../x"}, "write a key in parts", id="path"),
        pytest.param({"minioPath": "a\nb"}, "write a key in parts", id="path-with-line-feed"),
        pytest.param({"contract": "A b"}, "write the name of a ResourceContract", id="contract"),
        pytest.param({"replicas": -1}, "greater than or equal to 0", id="replicas-below"),
        pytest.param({"replicas": 1001}, "less than or equal to 1000", id="replicas-above"),
        pytest.param({"replicas": "2"}, "must be of type integer", id="replicas-as-text"),
        pytest.param(
            {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1900m"}}},
            "spec.resources: Invalid value: requests can't be more than limits",
            id="request-over-limit",
        ),
        pytest.param(
            {"resources": {"requests": {"nvidia.com/gpu": 1}}},
            "requests of an extended resource",
            id="extended-resource-without-limit",
        ),
        *(
            pytest.param(
                {
                    "resources": {
                        "requests": {"nvidia.com/gpu": request},
                        "limits": {"nvidia.com/gpu": 2},
                    }
                },
                "requests of an extended resource",
                id=f"other-limit-than-{request!r}",
            )
            for request in (1, "1")
        ),
        pytest.param(
            {"resources": {"requests": {"gpu": 1}}}, "spec.resources.requests", id="unknown-request"
        ),
        pytest.param(
            {"resources": {"limits": {"mem": "1Gi"}}}, "write cpu, memory", id="unknown-limit"
        ),
        pytest.param({"resources": {"requests": {"cpu": "-1"}}}, QUANTITY, id="negative-request"),
        pytest.param({"resources": {"limits": {"memory": -1}}}, QUANTITY, id="negative-limit"),
        pytest.param({"resources": {"limits": {"memory": "1e9Gi"}}}, QUANTITY, id="no-quantity"),
        pytest.param({"resources": {"limits": {"memory": 1.5}}}, "of type", id="float"),
        pytest.param({"config": {"image": "a b"}}, "write an image", id="image"),
        pytest.param({"config": {"imagePullPolicy": "No"}}, "supported values", id="pull-policy"),
        pytest.param(
            {"config": {"imagePullSecrets": [{"name": "a"}] * 2}}, "Duplicate", id="secret-twice"
        ),
        pytest.param(
            {"config": {"tolerations": [{"key": "k", "operator": "Exists", "value": "v"}]}},
            "operator Exists takes no value",
            id="toleration-with-value",
        ),
        pytest.param(
            {"config": {"tolerations": [{"value": "v"}]}},
            "a toleration without a key",
            id="toleration-without-key",
        ),
        pytest.param(
            {"config": {"tolerations": [{"key": "k", "tolerationSeconds": 1}]}},
            "tolerationSeconds needs effect: NoExecute",
            id="toleration-seconds",
        ),
        pytest.param(
            {"config": {"podLabels": {"model.example.com/server-uuid": "x"}}},
            f"model.example.com/ or app.kubernetes.io/ {OWN_LABELS}",
            id="own-label",
        ),
        pytest.param(
            {"config": {"podAnnotations": {"app.kubernetes.io/name": "x"}}},
            "annotations that begin with",
            id="own-annotation",
        ),
        pytest.param({"config": {"podLabels": {"a": "b c"}}}, "write a label's value", id="label"),
        pytest.param(
            {"config": {"podLabels": {f"k{n}": "" for n in range(33)}}},
            "must have at most 32 items",
            id="too-many-labels",
        ),
    ],
)
async def test_invalid_modelserve_is_denied(
    api: client.ApiClient, namespace: str, spec: Raw, message: str
) -> None:
    assert message in await refusal(create(api, make_modelserve(namespace, **spec)))


async def test_serve_without_model_is_denied(api: client.ApiClient, namespace: str) -> None:
    body = make_modelserve(namespace)
    body["spec"] = {}
    assert NO_MODEL in await refusal(create(api, body))


@pytest.mark.parametrize(
    ("rollout", "message"),
    [
        pytest.param({"strategy": "RollingUpdate"}, '"Surge", "Recreate"', id="strategy"),
        pytest.param({"maxSurge": 2}, "rollout.maxSurge: Invalid value: 2", id="surge"),
        pytest.param(
            {"maxSurge": 0, "maxUnavailable": 0}, "in maxUnavailable, such as 1", id="stuck"
        ),
        pytest.param(
            {"strategy": "Recreate", "maxUnavailable": 1}, "leave maxSurge and", id="recreate"
        ),
    ],
)
async def test_invalid_rollouts_are_denied(
    api: client.ApiClient, namespace: str, rollout: Raw, message: str
) -> None:
    assert message in await refusal(create(api, make_modelserve(namespace, rollout=rollout)))


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        pytest.param("contextSize", 256, 10485760, id="contextSize"),
        pytest.param("parallel", 1, 256, id="parallel"),
        pytest.param("threads", 1, 1024, id="threads"),
        pytest.param("threadsBatch", 1, 1024, id="threadsBatch"),
        pytest.param("batchSize", 1, 65536, id="batchSize"),
        pytest.param("ubatchSize", 1, 65536, id="ubatchSize"),
        pytest.param("gpuLayers", 0, 100000, id="gpuLayers"),
        pytest.param("cacheRamMiB", 0, 1048576, id="cacheRamMiB"),
        pytest.param("contextCheckpoints", 0, 1024, id="contextCheckpoints"),
        pytest.param("maxTokens", -1, 10485760, id="maxTokens"),
        pytest.param("seed", -1, 4294967295, id="seed"),
    ],
)
async def test_number_outside_its_bounds_is_denied(
    api: client.ApiClient, namespace: str, field: str, low: int, high: int
) -> None:
    # Values of the fields that are compared with a bound, so that each bound is tested alone.
    company = {"parallel": {"contextSize": 65536}, "ubatchSize": {"batchSize": 65536}}
    serve = await create(api, make_modelserve(namespace))

    async def set_to(value: int) -> Raw:
        params = {**company.get(field, {}), field: value}
        return await patch(api, serve, {"spec": {"runtimeParams": params}})

    for value in (low, high):
        assert (await set_to(value))["spec"]["runtimeParams"][field] == value
    path = f"spec.runtimeParams.{field}: Invalid value: "
    assert f"{path}{low - 1}: " in await refusal(set_to(low - 1))
    assert f"{path}{high + 1}: " in await refusal(set_to(high + 1))


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"contextSize": 512, "parallel": 2}, id="256-tokens-a-slot"),
        pytest.param({"batchSize": 64, "ubatchSize": 64}, id="ubatch-as-large-as-batch"),
        pytest.param({"ubatchSize": 2048}, id="ubatch-as-large-as-default-batch"),
        pytest.param({"mode": "Embedding", "ubatchSize": 8192}, id="ubatch-of-embeddings"),
        pytest.param({"flashAttention": "off", "cacheTypeV": "bf16"}, id="plain-cache"),
        pytest.param({"flashAttention": "on", "cacheTypeV": "q8_0"}, id="quantised-cache"),
        pytest.param({"cacheTypeK": "q4_0", "cacheTypeV": "iq4_nl"}, id="cache-types"),
        pytest.param({"ropeScaling": "yarn", "ropeFreqBase": "10000.0"}, id="rope"),
        pytest.param({"ropeFreqScale": "0.5"}, id="rope-scale"),
        pytest.param({"ropeFreqScale": ".25", "ropeFreqBase": "1e6"}, id="rope-short-numbers"),
        pytest.param({"loadMode": "none", "reasoningFormat": "auto"}, id="load-mode"),
        pytest.param({"mode": "Embedding", "chatTemplate": "llama2-sys.x"}, id="mode"),
        pytest.param({"extraArgs": ["--temp", "0.7"] * 32}, id="64-extra-arguments"),
    ],
)
async def test_valid_runtime_params_are_accepted(
    api: client.ApiClient, namespace: str, params: Raw
) -> None:
    stored = await create(api, make_modelserve(namespace, runtimeParams=params))
    assert stored["spec"]["runtimeParams"].items() >= params.items()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"contextSize": 511, "parallel": 2}, "contextSize is shared", id="context"),
        pytest.param({"parallel": 17}, "contextSize is shared", id="parallel-with-default-context"),
        pytest.param({"batchSize": 64, "ubatchSize": 65}, "can't be more than batch", id="ubatch"),
        pytest.param({"ubatchSize": 2049}, "batchSize, which is 2048", id="ubatch-default"),
        pytest.param(
            {"mode": "Rerank", "batchSize": 64, "ubatchSize": 65},
            "can't be more than batch",
            id="ubatch-of-reranking",
        ),
        pytest.param(
            {"flashAttention": "off", "cacheTypeV": "q8_0"},
            "a quantised cacheTypeV needs flash attention",
            id="quantised-cache-without-flash-attention",
        ),
        pytest.param({"flashAttention": True}, 'supported values: "auto", "on"', id="yaml-on"),
        pytest.param({"cacheTypeK": "q2"}, "supported values", id="cache-type-k"),
        pytest.param({"cacheTypeV": "q2"}, "supported values", id="cache-type-v"),
        pytest.param({"loadMode": "dio"}, "supported values", id="load-mode"),
        pytest.param({"ropeScaling": "x"}, "supported values", id="rope-scaling"),
        pytest.param({"ropeFreqBase": "1e"}, 'in quotes, such as "10000.0"', id="rope-base"),
        pytest.param({"ropeFreqBase": 10000}, "must be of type string", id="rope-base-number"),
        pytest.param({"ropeFreqScale": "0.0"}, 'in quotes, such as "0.5"', id="rope-scale-zero"),
        pytest.param({"reasoningFormat": "x"}, "supported values", id="reasoning"),
        pytest.param({"mode": "chat"}, 'supported values: "Chat", "Embedding"', id="mode"),
        pytest.param({"chatTemplate": "{{ x }}"}, "own templates", id="template-text"),
        pytest.param({"chatTemplate": "x" * 65}, "Too long", id="template-long"),
        pytest.param({"extraArgs": ["--x"] * 65}, "must have at most 64 items", id="args-many"),
        pytest.param({"extraArgs": ["x" * 257]}, "extraArgs[0]: Too long", id="arg-long"),
        pytest.param({"extraArgs": [""]}, "extraArgs[0]: Invalid value", id="arg-empty"),
        pytest.param({"extraArgs": ["a\nb"]}, "without line breaks", id="arg-line-break"),
        pytest.param(
            {"contextsize": 1}, 'unknown field "spec.runtimeParams.contextsize"', id="unknown-key"
        ),
    ],
)
async def test_invalid_runtime_params_are_denied(
    api: client.ApiClient, namespace: str, params: dict[str, Any], message: str
) -> None:
    assert message in await refusal(create(api, make_modelserve(namespace, runtimeParams=params)))


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        pytest.param("terminationGracePeriodSeconds", 0, 3600, id="termination"),
        pytest.param("startupTimeoutSeconds", 10, 7200, id="startup"),
    ],
)
async def test_seconds_outside_their_bounds_are_denied(
    api: client.ApiClient, namespace: str, field: str, low: int, high: int
) -> None:
    serve = await create(api, make_modelserve(namespace))
    for value in (low, high):
        await patch(api, serve, {"spec": {"config": {field: value}}})
    for value in (low - 1, high + 1):
        refused = await refusal(patch(api, serve, {"spec": {"config": {field: value}}}))
        assert f"spec.config.{field}: Invalid value: {value}: " in refused


async def test_defaults_are_filled_in(api: client.ApiClient, namespace: str) -> None:
    stored = await create(api, make_modelserve(namespace))
    assert stored["spec"] == {
        "modelName": "gemma-3-270m",
        "replicas": 1,
        "runtimeParams": {"contextSize": 4096, "parallel": 1, "cacheRamMiB": 0, "mode": "Chat"},
        "config": {"terminationGracePeriodSeconds": 60, "startupTimeoutSeconds": 600},
    }


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        pytest.param("modelName", "gemma-3-270m", "gemma-3-1b", id="name"),
        pytest.param("modelUuid", UUID, UUID.replace("0a", "0b"), id="uuid"),
    ],
)
async def test_model_of_a_server_is_immutable(
    api: client.ApiClient, namespace: str, field: str, first: str, second: str
) -> None:
    other = {"modelUuid": UUID, "modelName": "gemma-3-270m"}
    serve = await create(api, make_modelserve(namespace, **{**other, field: first}))
    message = f"spec.{field}: Invalid value: {field} can't be changed or removed once set"
    for value in (second, None):
        assert message in await refusal(patch(api, serve, {"spec": {field: value}}))


async def test_uuid_can_be_added_to_a_name(api: client.ApiClient, namespace: str) -> None:
    serve = await create(api, make_modelserve(namespace))
    changed = await patch(api, serve, {"spec": {"modelUuid": UUID}})
    assert changed["spec"]["modelUuid"] == UUID


async def test_scale_subresource_reads_and_sets_replicas(
    api: client.ApiClient, namespace: str
) -> None:
    serve = await create(api, make_modelserve(namespace, replicas=2))
    status = {"replicas": 1, "selector": "model.example.com/server-uuid=x"}
    await patch(api, serve, {"status": status}, "status")
    scale = await get(api, serve, "scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 2}, status)
    await patch(api, serve, {"spec": {"replicas": 0}}, "scale")
    assert (await get(api, serve))["spec"]["replicas"] == 0


async def test_scale_outside_the_bounds_of_replicas_is_denied(
    api: client.ApiClient, namespace: str
) -> None:
    serve = await create(api, make_modelserve(namespace))
    refused = await refusal(patch(api, serve, {"spec": {"replicas": 1001}}, "scale"))
    assert "less than or equal to 1000" in refused


async def test_full_status_is_stored(api: client.ApiClient, namespace: str) -> None:
    serve = await create(api, make_modelserve(namespace))
    status = {
        "observedGeneration": 1,
        "serverUuid": serve["metadata"]["uid"],
        "url": "https://gateway.example.com/x",
        "replicas": 1,
        "readyReplicas": 0,
        "memoryCurrentBytes": 2**40,
        "cpuUsagePercent": 250,
        "startedAt": "2026-01-01T00:00:00Z",
        "conditions": [make_condition("Ready", "False", "Fetching", "43%")],
    }
    stored = await patch(api, serve, {"status": status}, "status")
    assert stored["status"] == status
