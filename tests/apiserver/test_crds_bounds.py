"""Every length, count, range and enumeration in the specs, at its bound and just outside it.

The cases come from the CRD files, so a new field is tried as soon as it is there. A value at the
bound may be refused for another reason, such as its form, but not for the bound.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio import client

from tests.support.builders.objects import Raw, make_contract, make_model, make_modelserve
from tests.support.custom_objects import create

CRDS = Path(__file__).parents[2] / "crds"
WORDS = {
    "maxLength": "Too long",
    "minLength": "chars long",
    "maxItems": "must have at most",
    "minItems": "should have at least",
    "maxProperties": "must have at most",
    "minimum": "should be greater than or equal to",
    "maximum": "should be less than or equal to",
    "enum": "supported values",
}
SAMPLES: dict[str, Any] = {"string": "x", "object": {}}


def walk(schema: Raw, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Raw]]:
    """All schemas below, with the keys of their paths; `[]` is an item, `{}` a value."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, (*path, name))
    for key, segment in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], (*path, segment))


def cases() -> Iterator[Any]:
    """Kind, path, bound and schema of each bound within a spec."""
    for file in sorted(CRDS.glob("*.yaml")):
        crd = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["spec"]
        spec = crd["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for path, schema in walk(spec, ()):
            for bound in sorted(WORDS.keys() & schema.keys()):
                kind = crd["names"]["kind"]
                yield pytest.param(kind, path, bound, schema, id=f"{kind}.{'.'.join(path)}-{bound}")


def value(schema: Raw, bound: str, beyond: int) -> Any:
    """A value at the bound (`beyond` 0) or one step outside it (1)."""
    limit = schema[bound]
    match bound:
        case "maxLength" | "minLength":
            return "x" * (limit + beyond if bound == "maxLength" else limit - beyond)
        case "maxItems" | "minItems":
            count = limit + beyond if bound == "maxItems" else limit - beyond
            return [SAMPLES[schema["items"]["type"]]] * count
        case "maxProperties":
            return {f"k{number}": "x" for number in range(limit + beyond)}
        case "minimum" | "maximum":
            return limit + beyond if bound == "maximum" else limit - beyond
        case _:
            return "beyond" if beyond else limit[0]


def place(path: tuple[str, ...], content: Any) -> Any:
    """`content` within the lists and maps of its path."""
    for segment in reversed(path):
        content = [content] if segment == "[]" else {segment.replace("{}", "k"): content}
    return content


def printed(path: tuple[str, ...]) -> str:
    """The path in the form that the API server prints."""
    dotted = "".join({"[]": "[0]", "{}": ".k"}.get(part, f".{part}") for part in path)
    return f"spec{dotted}: "


def build(kind: str, namespace: str, spec: Raw) -> Raw:
    """An object of the kind that is valid except for `spec`."""
    match kind:
        case "Model":
            return make_model(**spec)
        case "ModelServe":
            return make_modelserve(namespace, **spec)
        case _:
            return make_contract(**spec)


@pytest.mark.parametrize(("kind", "path", "bound", "schema"), list(cases()))
async def test_bound_of_the_schema_is_enforced(
    api: client.ApiClient, kind: str, path: tuple[str, ...], bound: str, schema: Raw
) -> None:
    async def complaints(beyond: int) -> list[str]:
        spec = place(path, value(schema, bound, beyond))
        try:
            await create(api, build(kind, "default", spec))
        except client.ApiException as error:
            text = str(error.body).replace('\\"', '"')
            after = (part.split(", spec.")[0] for part in text.split(printed(path))[1:])
            return [part for part in after if WORDS[bound] in part]
        return []

    assert await complaints(beyond=0) == []
    assert await complaints(beyond=1) != []
