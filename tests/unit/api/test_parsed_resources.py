"""Models and ModelServes that their definitions would not accept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.granted import Granted
from roadstead.api.model import Model, PresignedSource
from roadstead.api.modelserve import ModelServe
from tests.unit.api.test_raw import JSON

FIELDS = st.sampled_from(
    [
        *("modelName", "modelUuid", "contract", "replicas", "resources", "runtimeParams", "config"),
        *("displayName", "source", "quantization", "sha256", "deletionPolicy"),
        *("minioEndpoint", "minioBucket", "minioPath", "sizeBytes", "transfer", "granted"),
    ]
)
OBJECTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("spec", "status"), JSON | st.dictionaries(FIELDS, JSON))
)


@given(OBJECTS)
def test_parsing_never_fails(raw: dict[str, Any]) -> None:
    serve, model = ModelServe.parse(raw), Model.parse(raw)
    assert type(serve.replicas) is int
    assert isinstance(serve.model_name + serve.model_uuid + serve.contract + serve.mode, str)
    assert Demand.of_serve(serve).servers == 1
    assert Granted.parse(serve.status) is None or isinstance(serve.status["granted"], dict)
    assert (model.size >= 0, bool(model.object_path)) == (True, True)
    assert model.stored_at is None or model.digest
    assert model.upload is None or model.upload.upload_id


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        pytest.param({"replicas": "1"}, "spec.replicas: expected a whole number", id="text"),
        pytest.param({"replicas": True}, "spec.replicas: expected a whole number", id="boolean"),
        pytest.param({"modelName": None}, "spec.modelName: expected a string", id="null"),
        pytest.param(
            {"resources": {"limits": []}}, "spec.resources.limits: expected an object", id="list"
        ),
    ],
)
def test_a_field_of_another_type_is_a_fault(spec: dict[str, Any], fault: str) -> None:
    serve = ModelServe.parse({"spec": spec})
    assert serve.faults == (fault,)
    assert (serve.replicas, serve.model_name) == (1, "")


def test_a_spec_that_is_no_object_is_a_fault() -> None:
    assert ModelServe.parse({"spec": []}).faults == ("spec: expected an object",)


def test_a_source_without_its_secret_is_a_fault() -> None:
    model = Model.parse({"spec": {"source": {"presignedUrl": {"secretRef": {"key": "url"}}}}})
    assert model.faults == ("spec.source.presignedUrl.secretRef.name: expected a string",)
    assert model.source == PresignedSource(secret="", key="url")


def test_a_valid_object_has_no_faults() -> None:
    spec = {"modelName": "gemma", "replicas": 2, "resources": {"limits": {"cpu": 1}}}
    assert ModelServe.parse({"spec": spec}).faults == ()
    assert Model.parse({"spec": {"source": {"quant": {"modelId": "gemma"}}}}).faults == ()
