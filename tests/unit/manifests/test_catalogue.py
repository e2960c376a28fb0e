"""The Model that a ModelServe needs, and a complete ModelServe for a Model."""

from __future__ import annotations

import pytest
import yaml

from roadstead.api.modelserve import ModelServe
from roadstead.errors import InvalidResource
from roadstead.manifests.catalogue_manifests import model_for, template
from tests.support.builders.resources import make_model, make_serve

_GGUF = {
    "architecture": "gemma3",
    "contextLength": 32768,
    "blockCount": 18,
    "embeddingLength": 640,
    "headCount": 4,
    "headCountKv": 1,
    "keyLength": 256,
    "valueLength": 256,
}


def test_model_has_a_quant_source_with_its_name() -> None:
    manifest = model_for(make_serve(modelName="llama-3"))
    assert manifest["kind"] == "Model"
    assert manifest["metadata"]["name"] == "llama-3"
    assert manifest["metadata"]["annotations"]["model.example.com/made-for"] == "demo/gemma"
    assert manifest["spec"] == {"source": {"quant": {"modelId": "llama-3"}}}


def test_model_has_no_owner() -> None:
    assert "ownerReferences" not in model_for(make_serve())["metadata"]


def test_a_server_does_not_choose_where_its_model_is_written() -> None:
    serve = make_serve(minioBucket="backups", minioPath="pg/base.tar")
    assert model_for(serve)["spec"].keys() == {"source"}


def test_the_template_is_a_modelserve_of_the_model() -> None:
    raw = yaml.safe_load(template(make_model(gguf=_GGUF)))
    serve = ModelServe.parse(raw)
    assert (raw["apiVersion"], raw["kind"]) == ("model.example.com/v1alpha1", "ModelServe")
    assert (serve.meta.name, serve.meta.namespace) == ("gemma-3-270m", "default")
    assert (serve.model_name, serve.model_uuid) == ("gemma-3-270m", "model-uid")
    assert (serve.endpoint, serve.bucket) == ("http://roadstead-store:9000", "models")
    assert serve.path == "models/gemma-3-270m/model-uid.gguf"
    assert serve.runtime_params == {
        "contextSize": 4096,
        "parallel": 1,
        "threads": 2,
        "cacheRamMiB": 0,
    }
    assert serve.resources["limits"] == {"memory": serve.resources["requests"]["memory"]}


def test_template_has_the_given_name_and_namespace() -> None:
    serve = ModelServe.parse(yaml.safe_load(template(make_model(), name="a", namespace="b")))
    assert (serve.meta.name, serve.meta.namespace) == ("a", "b")


def test_the_template_stays_within_the_models_context() -> None:
    text = template(make_model(gguf={**_GGUF, "contextLength": 2048}))
    assert yaml.safe_load(text)["spec"]["runtimeParams"]["contextSize"] == 2048
    assert "trained with 2048." in text


def test_the_template_explains_itself() -> None:
    assert template(make_model()).count("# ") > 8


def test_a_model_that_is_not_stored_has_no_template() -> None:
    with pytest.raises(InvalidResource, match="not stored and verified yet"):
        template(make_model(stored=False))
