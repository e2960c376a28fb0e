"""Specs of our kinds that Hypothesis generates from the schemas of the CRDs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.faults.crd_fields import Field, Path, cases, spec_schema
from tests.support.builders.objects import Raw

Values = st.SearchStrategy[Any]

_LABELS: Final = st.dictionaries(
    st.sampled_from(("team", "example.com/tier", "zone")),
    st.sampled_from(("a", "b", "")),
    max_size=2,
)
_AMOUNTS: Final = ("100m", "1", "2", "1500m", "1Gi", "2Gi", "0")
_CHOSEN: Final[Mapping[Path, Values]] = {
    # Random texts would nearly always be refused by the checks after the schema.
    ("runtimeParams", "extraArgs"): st.sampled_from(
        ([], ["--temp", "0.7"], ["--no-warmup"], ["--top-k=40", "--perf"], ["--bogus"])
    ),
    ("runtimeParams", "chatTemplate"): st.sampled_from(("gemma", "chatml", "none-such")),
    ("config", "nodeSelector"): _LABELS,
    ("config", "podLabels"): _LABELS,
    ("config", "tolerations", "[]", "key"): st.sampled_from(("gpu", "example.com/spot", "")),
    ("config", "tolerations", "[]", "value"): st.sampled_from(("a", "")),
    ("config", "priorityClassName"): st.sampled_from(("low", "high", "none such")),
    ("config", "runtimeClassName"): st.sampled_from(("kata", "nvidia")),
    **{
        ("resources", part): st.dictionaries(
            st.sampled_from(("cpu", "memory", "nvidia.com/gpu")),
            st.sampled_from(_AMOUNTS),
            max_size=3,
        )
        for part in ("requests", "limits")
    },
}


def specs(kind: str, *without: str) -> st.SearchStrategy[Raw]:
    """Specs of a kind that its schema accepts, and nearly always its rules too."""
    schema = spec_schema(kind)
    kept = {key: value for key, value in schema["properties"].items() if key not in without}
    drawn = _object(kind, {**schema, "properties": kept}, ())
    return drawn.map(repair) if kind == "ModelServe" else drawn


def repair(spec: Raw) -> Raw:
    """A ModelServe's spec with fields adjusted to the rules of the schema."""
    params = dict(spec.get("runtimeParams", {}))
    if "parallel" in params:
        least = params["parallel"] * 256
        params["contextSize"] = max(least, params.get("contextSize", least))
    if "ubatchSize" in params:
        params["batchSize"] = max(params["ubatchSize"], params.get("batchSize", 1))
    if params.get("flashAttention") == "off":
        params.pop("cacheTypeV", None)
    found = {**spec, "runtimeParams": params}
    requests = spec.get("resources", {}).get("requests", {})
    if requests:
        # A device requires an equal limit, everything else at least as large a one.
        plain = {name: amount for name, amount in requests.items() if "/" not in name}
        found["resources"] = {"requests": plain}
    return found


def _object(kind: str, schema: Raw, path: Path) -> Values:
    required = schema.get("required", ())
    parts = {
        name: _values(kind, child, (*path, name)) for name, child in schema["properties"].items()
    }
    always = {name: part for name, part in parts.items() if name in required}
    drawn = st.fixed_dictionaries(
        always, optional={name: part for name, part in parts.items() if name not in required}
    )
    return drawn.map(_tolerable) if path[-2:] == ("tolerations", "[]") else drawn


def _tolerable(toleration: Raw) -> Raw:
    found = dict(toleration)
    if not found.get("key"):
        found["operator"] = "Exists"
    if found.get("operator") == "Exists":
        found.pop("value", None)
    if "tolerationSeconds" in found:
        found["effect"] = "NoExecute"
    return found


def _values(kind: str, schema: Raw, path: Path) -> Values:
    if path in _CHOSEN:
        return _CHOSEN[path]
    if "properties" in schema:
        return _object(kind, schema, path)
    if "items" in schema:
        unique = schema.get("x-kubernetes-list-type") in ("set", "map")
        items = _values(kind, schema["items"], (*path, "[]"))
        low = schema.get("minItems", 0)
        return st.lists(items, min_size=low, max_size=2, unique_by=str if unique else None)
    if "additionalProperties" in schema:
        values = _values(kind, schema["additionalProperties"], (*path, "{}"))
        return st.dictionaries(st.sampled_from(("a", "example.com/b")), values, max_size=2)
    return _leaves(Field(kind=kind, path=path, schema=schema))


def _leaves(field: Field) -> Values:
    """The values at the bounds, and for numbers those between."""
    at_bounds: Sequence[Any] = [case.value for case in cases(field) if case.fits]
    if field.schema.get("type") != "integer":
        return st.sampled_from(at_bounds)
    low, high = field.schema["minimum"], field.schema["maximum"]
    return st.sampled_from(at_bounds) | st.integers(low, high)


@dataclasses.dataclass(frozen=True)
class Way:
    """Two specs of one ModelServe, which changes from one to the other and back."""

    first: Raw
    second: Raw


def ways() -> st.SearchStrategy[Way]:
    """Pairs of specs, without immutable fields and the model's location."""
    fixed = ("modelName", "modelUuid", "minioEndpoint", "minioBucket", "minioPath", "contract")
    drawn = specs("ModelServe", *fixed)
    return st.builds(Way, drawn, drawn)
