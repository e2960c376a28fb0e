"""The Model's schema, as the API server enforces it."""

from typing import Any

import pytest
from kubernetes.aio import client

from tests.support.builders.objects import Raw, make_condition, make_model
from tests.support.custom_objects import apply, create, get, patch, refusal

SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
QUANT = {"modelId": "gemma-3-270m"}
SECRET = {"secretRef": {"name": "gemma-url"}}
EXACTLY_ONE = "spec.source: Invalid value: write exactly one of quant"
KEY = "spec.minioPath: Invalid value"
MODEL_IDS = (
    "unsloth/gemma-3-270m-it-GGUF",
    "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "Qwen/Qwen3-0.6B@refs/pr/1",
    "_org/_Model--x..y",
)
"""Names of models on Hugging Face and in its tools."""
NO_MODEL_IDS = (
    "../x",
    "a/../b",
    "a/./b",
    "/a",
    "a/",
    "a//b",
    "a b",
    "a\nb",
    "a?b",
    "a#b",
    "a%2Fb",
    "é",
)
KEYS = (
    "models/a.gguf?x",
    "a#b&c;d,e$f!g'h(i)j*k:l.gguf",
    'a"b<c>d\\e^f`g{h|i}j[k]l~m%41n.gguf',
    "模型/Ünïcödé/🦙.gguf",
)
"""Characters that S3 allows."""
NOT_IN_KEYS = "\n\r\t\x00\x7f\x85\u2028\u202e\u2066\ufffe"
"""Characters that are invalid in XML, or that add or reorder lines in a log."""


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"source": {"quant": QUANT}}, id="quant"),
        pytest.param(
            {"source": {"quant": {**QUANT, "endpoint": "https://quant.example.com:8443/api"}}},
            id="quant-endpoint-with-path",
        ),
        pytest.param({"source": {"presignedUrl": SECRET}}, id="presigned-url"),
        pytest.param(
            {"source": {"presignedUrl": {"secretRef": {"name": "a.b", "namespace": "x-1"}}}},
            id="secret-of-another-namespace",
        ),
        pytest.param({"source": {"stored": {}}, "minioPath": "models/a.gguf"}, id="stored"),
        pytest.param({"sha256": SHA256}, id="sha256"),
        pytest.param({"quantization": "Q4_K_M", "format": "gguf"}, id="quantization"),
        pytest.param({"displayName": "é" * 128}, id="long-display-name"),
        pytest.param({"deletionPolicy": "Delete"}, id="deletion-policy"),
        pytest.param({"minioEndpoint": "http://minio:9000", "minioBucket": "abc"}, id="store"),
        pytest.param({"minioEndpoint": "https://[fd00::1]:9000"}, id="store-by-ipv6"),
        pytest.param({"minioPath": "a b/c..d/@e=f+1.gguf"}, id="key-with-dots-within-a-part"),
        *(pytest.param({"source": {"quant": {"modelId": each}}}, id=each) for each in MODEL_IDS),
        *(
            pytest.param({"minioPath": each}, id=f"key-{number}")
            for number, each in enumerate(KEYS)
        ),
        pytest.param({"minioPath": "é" * 488}, id="longest-key-in-bytes"),
    ],
)
async def test_valid_model_is_accepted(api: client.ApiClient, spec: Raw) -> None:
    stored = await create(api, make_model(**spec))
    assert stored["spec"].items() >= {k: v for k, v in spec.items() if k != "source"}.items()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"source": {}}, EXACTLY_ONE, id="no-source"),
        pytest.param({"source": {"quant": QUANT, "presignedUrl": SECRET}}, EXACTLY_ONE, id="two"),
        pytest.param(
            {"source": {"stored": {}}},
            "a source that is stored already needs minioPath",
            id="stored-without-key",
        ),
        pytest.param(
            {"source": {"quant": {}}}, "spec.source.quant.modelId: Required", id="no-model-id"
        ),
        *(
            pytest.param(
                {"source": {"quant": {"modelId": each}}}, "write an id of", id=f"id-{each!r}"
            )
            for each in NO_MODEL_IDS
        ),
        pytest.param(
            {"source": {"quant": {**QUANT, "endpoint": "https://user:pw@quant/"}}},
            "write a URL without user, query and fragment",
            id="endpoint-with-user",
        ),
        pytest.param(
            {"source": {"quant": {**QUANT, "endpoint": "https://quant/?a=b"}}},
            "write a URL without user, query and fragment",
            id="endpoint-with-query",
        ),
        pytest.param({"source": {"presignedUrl": {}}}, "secretRef: Required value", id="no-secret"),
        pytest.param(
            {"source": {"presignedUrl": {"secretRef": {"name": "A_b"}}}},
            "write the name of a Secret",
            id="secret-name",
        ),
        pytest.param(
            {"source": {"presignedUrl": {"secretRef": {"name": "a", "namespace": "a.b"}}}},
            "write the name of a namespace",
            id="secret-namespace",
        ),
        pytest.param(
            {"source": {"presignedUrl": {"secretRef": {"name": "a", "key": "a/b"}}}},
            "write a key of letters, digits",
            id="secret-key",
        ),
        pytest.param({"sha256": SHA256.upper()}, "write 64 hexadecimal digits", id="sha256-upper"),
        pytest.param({"sha256": SHA256[:-1]}, "write 64 hexadecimal digits", id="sha256-short"),
        pytest.param({"sha256": SHA256 + "0"}, "spec.sha256: Too long", id="sha256-long"),
        pytest.param(
            {"quantization": "Q4 K M"}, "write the name of a quantisation", id="quantization"
        ),
        pytest.param({"format": "safetensors"}, 'supported values: "gguf"', id="format"),
        pytest.param({"displayName": "x" * 129}, "spec.displayName: Too long", id="display-name"),
        pytest.param(
            {"deletionPolicy": "Keep"}, 'supported values: "Retain", "Delete"', id="deletion-policy"
        ),
        pytest.param({"minioEndpoint": "minio:9000"}, "write http://HOST[:PORT]", id="no-scheme"),
        pytest.param({"minioEndpoint": "http://minio/x"}, "write http://HOST[:PORT]", id="path"),
        pytest.param({"minioBucket": "Models"}, "write the name of a bucket", id="bucket-upper"),
        pytest.param({"minioBucket": "ab"}, "write the name of a bucket", id="bucket-short"),
        pytest.param({"minioPath": "/models/a.gguf"}, KEY, id="key-with-leading-slash"),
        pytest.param({"minioPath": "models/../a.gguf"}, KEY, id="key-with-dot-dot"),
        pytest.param({"minioPath": "models//a.gguf"}, KEY, id="key-with-empty-part"),
        pytest.param({"minioPath": "./a.gguf"}, KEY, id="key-with-dot"),
        pytest.param({"minioPath": "models/a.gguf/"}, KEY, id="key-with-trailing-slash"),
        *(
            pytest.param({"minioPath": f"a{each}b"}, KEY, id=f"key-with-{ord(each):x}")
            for each in NOT_IN_KEYS
        ),
        pytest.param({"minioPath": "é" * 489}, KEY, id="key-of-too-many-bytes"),
        pytest.param({"minioPath": "x" * 978}, "spec.minioPath: Too long", id="key-too-long"),
        pytest.param({"displayname": "x"}, 'unknown field "spec.displayname"', id="unknown-field"),
    ],
)
async def test_invalid_model_is_denied(api: client.ApiClient, spec: Raw, message: str) -> None:
    assert message in await refusal(create(api, make_model(**spec)))


async def test_spec_without_source_is_denied(api: client.ApiClient) -> None:
    body = make_model()
    del body["spec"]["source"]
    assert "spec.source: Required value" in await refusal(create(api, body))


async def test_defaults_are_filled_in(api: client.ApiClient) -> None:
    stored = await create(api, make_model(source={"presignedUrl": SECRET}))
    assert stored["spec"] == {
        "source": {"presignedUrl": {"secretRef": {"name": "gemma-url", "key": "url"}}},
        "format": "gguf",
        "deletionPolicy": "Retain",
    }


SET_ONCE = [
    pytest.param("sha256", SHA256, "0" * 64, id="sha256"),
    pytest.param("minioEndpoint", "http://a:9000", "http://b:9000", id="endpoint"),
    pytest.param("minioBucket", "models", "others", id="bucket"),
    pytest.param("minioPath", "models/a.gguf", "models/b.gguf", id="path"),
]


@pytest.mark.parametrize(("field", "first", "second"), SET_ONCE)
async def test_field_can_be_set_later_but_only_once(
    api: client.ApiClient, field: str, first: str, second: str
) -> None:
    body = await create(api, make_model())
    await patch(api, body, {"spec": {field: first}})
    message = f"spec.{field}: Invalid value: {field} can't be changed or removed once set"
    assert message in await refusal(patch(api, body, {"spec": {field: second}}))


@pytest.mark.parametrize(("field", "first", "second"), SET_ONCE)
async def test_field_once_set_can_not_be_removed(
    api: client.ApiClient, field: str, first: str, second: str
) -> None:
    body = await create(api, _model_with(field, first))
    message = f"spec.{field}: Invalid value: {field} can't be changed or removed once set"
    assert message in await refusal(patch(api, body, {"spec": {field: None}}))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"quant": {"modelId": "another"}}, id="another-id"),
        pytest.param({"quant": None, "presignedUrl": SECRET}, id="another-kind"),
    ],
)
async def test_model_id_is_immutable(api: client.ApiClient, source: Raw) -> None:
    body = await create(api, make_model())
    message = await refusal(patch(api, body, {"spec": {"source": source}}))
    assert "spec.source: Invalid value: quant.modelId can't be changed" in message


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"source": {"quant": {"endpoint": "https://quant"}}}, id="quant-endpoint"),
        pytest.param({"displayName": "Gemma", "deletionPolicy": "Delete"}, id="display-name"),
    ],
)
async def test_fields_that_do_not_identify_the_content_can_change(
    api: client.ApiClient, changes: Raw
) -> None:
    body = await create(api, make_model(displayName="old"))
    changed = await patch(api, body, {"spec": changes})
    assert changed["metadata"]["generation"] == 2


async def test_presigned_url_can_be_replaced_by_the_quant_service(api: client.ApiClient) -> None:
    body = await create(api, make_model(source={"presignedUrl": SECRET}))
    source = {"presignedUrl": None, "quant": QUANT}
    changed = await patch(api, body, {"spec": {"source": source}})
    assert changed["spec"]["source"] == {"quant": QUANT}


async def test_applying_the_same_manifest_twice_changes_nothing(api: client.ApiClient) -> None:
    body = make_model(sha256=SHA256)
    first = await apply(api, body)
    assert (await apply(api, body))["metadata"]["resourceVersion"] == (
        first["metadata"]["resourceVersion"]
    )


async def test_status_is_written_only_through_its_subresource(api: client.ApiClient) -> None:
    body = await create(api, make_model())
    await patch(api, body, {"status": {"size": "1 GiB"}})
    assert "status" not in await get(api, body)
    status = _full_status()
    stored = await patch(api, body, {"status": status, "spec": {"displayName": "x"}}, "status")
    assert stored["status"] == status
    assert "displayName" not in stored["spec"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param({"transfer": {"percent": 101}}, "less than or equal to 100", id="percent"),
        pytest.param({"sizeBytes": -1}, "greater than or equal to 0", id="size"),
        pytest.param(
            {"conditions": [make_condition("Ready", "Yes", "Stored")]},
            'supported values: "True", "False", "Unknown"',
            id="condition-status",
        ),
        pytest.param(
            {"conditions": [make_condition("Ready", "True", "")]},
            "conditions[0].reason",
            id="condition-without-reason",
        ),
        pytest.param(
            {"conditions": [make_condition("Ready", "True", "A")] * 2},
            "Duplicate value",
            id="two-conditions-of-one-type",
        ),
    ],
)
async def test_invalid_status_is_denied(
    api: client.ApiClient, status: dict[str, Any], message: str
) -> None:
    body = await create(api, make_model())
    assert message in await refusal(patch(api, body, {"status": status}, "status"))


def _model_with(field: str, value: str) -> Raw:
    body = make_model()
    body["spec"][field] = value
    return body


def _full_status() -> Raw:
    """Every kind of field once, including sizes above 32 bits."""
    return {
        "observedGeneration": 1,
        "sizeBytes": 2**40,
        "sha256": SHA256,
        "servers": 3,
        "gguf": {"version": 3, "architecture": "gemma3", "parameterCount": 268098176},
        "transfer": {"uploadId": "u", "percent": 43, "startedAt": "2026-01-01T00:00:00Z"},
        "conditions": [make_condition("Ready", "False", "Transferring", "43%")],
    }
