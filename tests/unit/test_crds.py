"""The files of the CRDs: rules for every field of every schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadstead.api import group, model, modelserve
from roadstead.api.contract import resource_contract as contract
from roadstead.api.llama.llama_flags import CACHE_RAM_MIB, server_args
from roadstead.api.slots import CONTEXT_SIZE, MAX_BATCH_SIZE, PARALLEL
from roadstead.gguf.gguf_header import GgufHeader
from roadstead.gguf.gguf_memory import MEMORY_KEYS, GgufMemory
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS

Schema = dict[str, Any]

CRDS = Path(__file__).parents[2] / "crds"
FILES = sorted(CRDS.glob("*.yaml"))
LONGEST_MESSAGE = 250
ONE_EACH: dict[str, Any] = dict.fromkeys(MEMORY_KEYS, 1)


def load(path: Path) -> Schema:
    """The whole CustomResourceDefinition."""
    crd: Schema = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return crd


def root(crd: Schema) -> Schema:
    """The schema of the only version."""
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """The schema and all schemas below it, each with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


def nodes() -> list[tuple[str, Schema]]:
    """All schemas of all files."""
    return [node for path in FILES for node in walk(root(load(path)), path.stem)]


EVERY_FIELD = [pytest.param(schema, id=path) for path, schema in nodes()]
RULES = [
    pytest.param(rule, id=f"{path}#{number}")
    for path, schema in nodes()
    for number, rule in enumerate(schema.get("x-kubernetes-validations", ()))
]


@pytest.mark.parametrize("schema", EVERY_FIELD)
def test_field_is_described_in_a_sentence(schema: Schema) -> None:
    description = schema["description"]
    assert description[0].isupper() or description.startswith(("general.", "metadata."))
    assert description.endswith(".")
    assert "  " not in description


@pytest.mark.parametrize("schema", EVERY_FIELD)
def test_field_is_bounded(schema: Schema) -> None:
    match schema.get("type", "int-or-string"):
        case "string":
            assert {"enum", "maxLength"} & schema.keys() or schema.get("format") == "date-time"
        case "array":
            assert {"maxItems", "x-kubernetes-list-type"} <= schema.keys()
        case "integer":
            assert {"minimum", "format"} <= schema.keys()
        case "object":
            assert "additionalProperties" not in schema or "maxProperties" in schema
        case "int-or-string":
            assert schema["x-kubernetes-int-or-string"] is True
            assert "maxLength" in schema
        case other:
            pytest.fail(f"a field should not be of type {other}")


@pytest.mark.parametrize("schema", EVERY_FIELD)
def test_no_field_keeps_what_the_schema_does_not_know(schema: Schema) -> None:
    assert "x-kubernetes-preserve-unknown-fields" not in schema


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_numbers_of_a_spec_have_an_upper_bound(path: Path) -> None:
    spec = root(load(path))["properties"]["spec"]
    unbounded = [
        where
        for where, schema in walk(spec, "spec")
        if schema.get("type") == "integer" and "maximum" not in schema
    ]
    assert unbounded == []


@pytest.mark.parametrize("rule", RULES)
def test_message_of_a_rule_is_one_line(rule: Schema) -> None:
    assert 20 < len(rule["message"]) < LONGEST_MESSAGE
    assert "\n" not in rule["message"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_status_is_a_subresource_with_conditions_by_type(path: Path) -> None:
    crd = load(path)
    conditions = root(crd)["properties"]["status"]["properties"]["conditions"]
    assert crd["spec"]["versions"][0]["subresources"]["status"] == {}
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_named_after_its_kind(path: Path) -> None:
    spec = load(path)["spec"]
    assert path.name == f"{spec['group']}_{spec['names']['plural']}.yaml"
    assert spec["group"] == group.GROUP
    assert [version["name"] for version in spec["versions"]] == [group.VERSION]
    assert spec["names"]["categories"] == ["roadstead"]


def test_kinds_are_those_that_the_operator_parses() -> None:
    names = [load(path)["spec"]["names"] for path in FILES]
    assert {each["plural"]: each["kind"] for each in names} == {
        MODELS.plural: model.KIND,
        MODELSERVES.plural: modelserve.KIND,
        RESOURCECONTRACTS.plural: contract.KIND,
    }
    assert [each["shortNames"] for each in names] == [["mdl"], ["mserve"], ["rct"]]


def runtime_params() -> Schema:
    """The fields of a ModelServe's runtimeParams."""
    spec = root(load(CRDS / "model.example.com_modelserves.yaml"))["properties"]["spec"]
    fields: Schema = spec["properties"]["runtimeParams"]["properties"]
    return fields


def samples() -> Iterator[tuple[str, Any]]:
    """Each runtime parameter with values that the schema allows and that are not the default."""
    texts = {"ropeFreqBase": "10000.5", "ropeFreqScale": "0.5", "chatTemplate": "gemma"}
    for name, schema in runtime_params().items():
        if "enum" in schema:
            yield from ((name, value) for value in schema["enum"])
        elif schema["type"] == "integer":
            yield name, schema["minimum"]
            yield name, schema["maximum"]
        else:
            yield name, texts.get(name, ["--temp", "0.7"])


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(*each, id=f"{each[0]}={each[1]}") for each in samples()]
)
def test_runtime_param_reaches_llama_server(name: str, value: Any) -> None:
    default = runtime_params()[name].get("default")
    given = server_args({name: value}, "alias", {})
    assert (given == server_args({}, "alias", {})) == (value == default)


def test_defaults_are_those_of_the_operator() -> None:
    defaults = {name: schema.get("default") for name, schema in runtime_params().items()}
    assert defaults["contextSize"] == CONTEXT_SIZE
    assert defaults["parallel"] == PARALLEL
    assert defaults["cacheRamMiB"] == CACHE_RAM_MIB
    assert runtime_params()["ubatchSize"]["maximum"] == MAX_BATCH_SIZE


def test_status_has_a_field_for_each_value_of_a_gguf_header() -> None:
    path = CRDS / "model.example.com_models.yaml"
    status = root(load(path))["properties"]["status"]["properties"]
    header = GgufHeader(
        version=3,
        architecture="x",
        name="x",
        quantization="x",
        file_type=1,
        parameter_count=1,
        tensor_count=1,
        context_length=1,
        block_count=1,
        embedding_length=1,
        head_count=1,
        head_count_kv=1,
        key_length=1,
        value_length=1,
        sliding_window=1,
        expert_count=1,
        pooling_type="x",
        memory=GgufMemory(**ONE_EACH),
        header_bytes=1,
    )
    fields = status["gguf"]["properties"]
    assert header.to_json().keys() == fields.keys()
    assert header.to_json()["memory"].keys() == fields["memory"]["properties"].keys()
