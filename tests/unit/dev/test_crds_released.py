"""Definitions are compared with the released ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.checks.crds.__main__ import CRDS, RELEASED, load
from dev.checks.crds.definitions import incompatible, without_prose
from dev.checks.crds.schemas import Schema, differences
from tests.unit.schemas import faults

MODELS = "models.model.example.com"
Change = Callable[[Any], None]


def spec(definition: Any) -> Any:
    """The fields of `spec`, of the only version."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema["properties"]["spec"]


def changed(change: Change) -> list[str]:
    """The incompatibilities of a change to the Model's definition."""
    old = load(CRDS)
    new = copy.deepcopy(old)
    change(new[MODELS])
    return list(incompatible(old, new))


def edit(**values: Any) -> Change:
    """Set keywords of `spec.displayName`."""
    return lambda model: spec(model)["properties"]["displayName"].update(values)


def rule(text: str) -> Change:
    """Add a rule to `spec`."""
    return lambda model: spec(model)["x-kubernetes-validations"].append({"rule": text})


def replaced(form: str) -> Change:
    """Replace the first rule of `spec` by one that is made from it."""

    def change(model: Any) -> None:
        first = spec(model)["x-kubernetes-validations"][0]
        first["rule"] = form.format(first["rule"])

    return change


def test_definitions_are_compatible_with_the_released_ones() -> None:
    assert list(incompatible(load(RELEASED), load(CRDS))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: spec(m)["properties"].pop("displayName"), "spec.displayName: was removed"),
        (edit(type="integer"), "no longer accepts string"),
        (edit(maxLength=127), "maxLength was 128, is 127"),
        (edit(minLength=1), "minLength was none, is 1"),
        (edit(pattern="^a"), "pattern was None, is '^a'"),
        (edit(enum=["a"]), "enum was added"),
        (edit(default="a"), "default was None, is 'a'"),
        (edit(format="uuid"), "format was None"),
        (lambda m: spec(m)["required"].append("displayName"), "displayName: became required"),
        (lambda m: spec(m)["properties"]["deletionPolicy"]["enum"].pop(), "enum no longer has"),
        (lambda m: spec(m)["properties"]["deletionPolicy"].pop("default"), "default was 'Retain'"),
        (
            lambda m: spec(m)["properties"].update(more={"type": "string", "default": ""}),
            "is new and has a default",
        ),
        (rule("self.displayName != ''"), "does not consider oldSelf"),
        (replaced("{} && self.displayName != ''"), "does not consider oldSelf"),
        (replaced("{} || has(self.sha256) ? false : true"), "does not consider oldSelf"),
        (lambda m: m["spec"].update(scope="Namespaced"), "scope was 'Cluster'"),
        (lambda m: m["spec"]["names"].update(plural="modules"), "names.plural was"),
        (
            lambda m: m["spec"]["names"].update(shortNames=[]),
            "names.shortNames no longer has 'mdl'",
        ),
        (lambda m: m["spec"]["versions"][0].update(name="v1"), "version v1alpha1 was removed"),
        (lambda m: m["spec"]["versions"][0].update(served=False), "served was True"),
        (lambda m: m["spec"]["versions"][0].pop("subresources"), "subresources was"),
        (
            lambda m: m["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"][
                "properties"
            ]["conditions"].update({"x-kubernetes-list-type": "atomic"}),
            "x-kubernetes-list-type was 'map'",
        ),
    ],
)
def test_incompatible_change_is_reported(change: Change, said: str) -> None:
    (found,) = changed(change)
    assert said in found


@pytest.mark.parametrize(
    "change",
    [
        edit(maxLength=256),
        edit(description="Another one."),
        lambda m: spec(m)["properties"].update(more={"type": "string"}),
        lambda m: spec(m)["properties"]["deletionPolicy"]["enum"].append("Archive"),
        lambda m: spec(m)["x-kubernetes-validations"].pop(),
        rule("oldSelf.displayName == self.displayName"),
        replaced("{} || self.displayName != ''"),
        lambda m: m["spec"]["names"]["shortNames"].append("gguf"),
    ],
)
def test_compatible_change_is_accepted(change: Change) -> None:
    assert changed(change) == []


def test_removed_definition_is_reported() -> None:
    old = load(CRDS)
    assert list(incompatible(old, {})) == [f"{name}: was removed" for name in old]


def test_descriptions_are_ignored_but_not_fields_of_that_name() -> None:
    schema = {"description": "x", "properties": {"message": {"type": "string"}}}
    assert without_prose(schema) == {"properties": {"message": {"type": "string"}}}


SMALL = st.integers(0, 4)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """An object with a text and a number, each with some bounds."""
    text = {"type": "string", "minLength": draw(SMALL), "maxLength": draw(SMALL)}
    if draw(st.booleans()):
        text["enum"] = draw(st.lists(st.text("ab", max_size=4), min_size=1, max_size=3))
    number = {"type": "integer", "format": "int32", "minimum": draw(SMALL), "maximum": draw(SMALL)}
    fields = draw(st.sets(st.sampled_from(["text", "number"])))
    required = sorted(draw(st.sets(st.sampled_from(sorted(fields) or ["text"]))) & fields)
    both = {"text": text, "number": number}
    properties = {name: both[name] for name in sorted(fields)}
    return {"type": "object", "properties": properties, "required": required}


values = st.fixed_dictionaries(
    {}, optional={"text": st.text("ab", max_size=4), "number": st.integers(0, 4)}
)


@given(schemas(), schemas(), values)
def test_values_stay_valid_if_no_difference_is_reported(
    old: Schema, new: Schema, value: dict[str, Any]
) -> None:
    if not list(faults(old, value)) and not list(differences(old, new, "")):
        assert not list(faults(new, value))


@given(schemas())
def test_schema_is_compatible_with_itself(schema: Schema) -> None:
    assert list(differences(schema, schema, "")) == []
