"""The rules that a ModelServe must meet before its objects are created."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.policy.chain import Violation, evaluate
from roadstead.policy.modelserve_policy import MODELSERVE_RULES, ServeFacts, spec_violations
from tests.support.builders.resources import make_model, make_serve

_MODEL = make_model("gemma", "uid-1")
_OTHER = make_model("llama", "uid-2")


def check(
    spec: dict[str, Any], *, model_by_name: Model | None = None, model_by_uuid: Model | None = None
) -> Violation | None:
    spec = {"modelName": "", "modelUuid": "", **spec}
    serve = make_serve(**spec)
    facts = ServeFacts(serve=serve, model_by_name=model_by_name, model_by_uuid=model_by_uuid)
    return evaluate(MODELSERVE_RULES, facts)


@pytest.mark.parametrize(
    ("spec", "model_by_name", "model_by_uuid"),
    [
        pytest.param({"modelName": "gemma"}, _MODEL, None, id="by name"),
        pytest.param({"modelUuid": "uid-1"}, None, _MODEL, id="by uuid"),
        pytest.param({"modelName": "gemma", "modelUuid": "uid-1"}, _MODEL, _MODEL, id="by both"),
        pytest.param({"modelName": "new"}, None, None, id="not in the catalogue yet"),
        pytest.param(
            {
                "modelName": "gemma",
                "minioEndpoint": "http://roadstead-store:9000/",
                "minioBucket": "models",
                "minioPath": "models/gemma/uid-1.gguf",
            },
            _MODEL,
            None,
            id="the model's location",
        ),
        pytest.param(
            {"modelName": "gemma", "minioBucket": "x"},
            make_model("gemma", stored=False),
            None,
            id="a location that is not known yet",
        ),
        pytest.param(
            {
                "modelName": "gemma",
                "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": 1}},
            },
            _MODEL,
            None,
            id="resources",
        ),
    ],
)
def test_valid_modelserve_is_allowed(
    spec: dict[str, Any], model_by_name: Model | None, model_by_uuid: Model | None
) -> None:
    assert check(spec, model_by_name=model_by_name, model_by_uuid=model_by_uuid) is None


@pytest.mark.parametrize(
    ("spec", "model_by_name", "model_by_uuid", "reason", "field", "words"),
    [
        pytest.param(
            {}, None, None, "ModelNotNamed", "spec.modelName", "name the model", id="none"
        ),
        pytest.param(
            {"modelUuid": "uid-9"},
            None,
            None,
            "ModelNotFound",
            "spec.modelUuid",
            "no Model has the UUID uid-9",
            id="unknown uuid",
        ),
        pytest.param(
            {"modelName": "gemma", "modelUuid": "uid-9"},
            _MODEL,
            None,
            "ModelMismatch",
            "spec.modelUuid",
            "Model gemma has the UUID uid-1",
            id="uuid of a recreated model",
        ),
        pytest.param(
            {"modelName": "gemma", "modelUuid": "uid-2"},
            _MODEL,
            _OTHER,
            "ModelMismatch",
            "spec.modelUuid",
            "spec.modelUuid is the UUID of Model llama, but spec.modelName is gemma",
            id="two models",
        ),
        pytest.param(
            {"modelName": "new", "modelUuid": "uid-2"},
            None,
            _OTHER,
            "ModelMismatch",
            "spec.modelUuid",
            "spec.modelUuid is the UUID of Model llama",
            id="a name that is unknown",
        ),
        pytest.param(
            {"modelName": "gemma", "minioEndpoint": "http://other:9000"},
            _MODEL,
            None,
            "LocationMismatch",
            "spec.minioEndpoint",
            "is http://roadstead-store:9000, not http://other:9000",
            id="another endpoint",
        ),
        pytest.param(
            {"modelName": "gemma", "minioBucket": "mine"},
            _MODEL,
            None,
            "LocationMismatch",
            "spec.minioBucket",
            "is models, not mine",
            id="another bucket",
        ),
        pytest.param(
            {"modelUuid": "uid-1", "minioPath": "secret/of/others"},
            None,
            _MODEL,
            "LocationMismatch",
            "spec.minioPath",
            "remove the field",
            id="another path",
        ),
        pytest.param(
            {"modelName": "gemma", "runtimeParams": {"extraArgs": ["--tools", "all"]}},
            _MODEL,
            None,
            "InvalidRuntimeParams",
            "spec.runtimeParams.extraArgs[0]",
            "--tools is not allowed",
            id="a dangerous flag",
        ),
        pytest.param(
            {"modelName": "gemma", "resources": {"limits": {"cpu": "many"}}},
            _MODEL,
            None,
            "InvalidResources",
            "spec.resources.limits.cpu",
            "invalid quantity",
            id="invalid quantity",
        ),
        pytest.param(
            {
                "modelName": "gemma",
                "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2000Mi"}},
            },
            _MODEL,
            None,
            "InvalidResources",
            "spec.resources.requests.memory",
            "the request 2Gi is above the limit 2000Mi",
            id="a request above its limit",
        ),
    ],
)
def test_violation_names_reason_and_field(
    spec: dict[str, Any],
    model_by_name: Model | None,
    model_by_uuid: Model | None,
    reason: str,
    field: str,
    words: str,
) -> None:
    violation = check(spec, model_by_name=model_by_name, model_by_uuid=model_by_uuid)
    assert violation is not None
    assert (violation.reason, violation.field) == (reason, field)
    assert words in violation.message


def test_model_that_is_being_deleted_is_denied() -> None:
    deleting = Model.parse(
        {
            "metadata": {"name": "gemma", "deletionTimestamp": "2030-01-01T00:00:00Z"},
            "spec": {"source": {"stored": {}}},
        }
    )
    violation = check({"modelName": "gemma"}, model_by_name=deleting)
    assert violation is not None
    assert violation.reason == "ModelDeleting"


@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        pytest.param({"modelName": "gemma"}, [], id="sound"),
        pytest.param({"modelUuid": "gone", "minioPath": "x"}, [], id="what a Model decides"),
        pytest.param(
            {"runtimeParams": {"extraArgs": ["--tools"]}, "resources": {"limits": {"cpu": "x"}}},
            ["ModelNotNamed", "InvalidResources", "InvalidRuntimeParams"],
            id="all at once",
        ),
    ],
)
def test_spec_violations_need_no_other_object(spec: dict[str, Any], reasons: list[str]) -> None:
    serve = ModelServe.parse({"metadata": {"name": "a"}, "spec": spec})
    assert [each.reason for each in spec_violations(serve)] == reasons
