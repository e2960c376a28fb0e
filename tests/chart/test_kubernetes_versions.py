"""The CEL of the definitions and the chart compiles on the oldest supported Kubernetes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from dev import binaries
from dev.versions import OLDEST_KUBERNETES
from tests.support.charts import (
    CHART,
    EVERYTHING,
    GATEWAY_API,
    JOBS,
    TRAEFIK,
    Chart,
    Object,
    Values,
)

OLDEST = ".".join(OLDEST_KUBERNETES.removeprefix("v").split(".")[:2])
Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def celcheck() -> Check:
    """Compiles the CEL of objects as an API server of a version does."""
    program = binaries.ensure("celcheck")["celcheck"]

    def check(objects: list[Object], version: str = OLDEST) -> dict[str, Any]:
        done = subprocess.run(
            [program, version], input=json.dumps(objects), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return check


def test_the_chart_requires_the_oldest_kubernetes() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"


def expressions(objects: list[Object]) -> int:
    """The CEL expressions in objects, counted by their fields' names."""
    names = ("expression", "rule", "messageExpression")

    def count(value: Any) -> int:
        if isinstance(value, list):
            return sum(map(count, value))
        if not isinstance(value, dict):
            return 0
        own = sum(isinstance(value.get(name), str) for name in names)
        return own + sum(map(count, value.values()))

    return count([each for each in objects if each["kind"] in KINDS])


KINDS = (
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="defaults"),
        pytest.param(EVERYTHING, id="everything"),
        pytest.param(TRAEFIK, id="traefik"),
        pytest.param(GATEWAY_API, id="gateway-api"),
        pytest.param(JOBS, id="jobs"),
    ],
)
def test_every_expression_compiles_on_the_oldest_kubernetes(
    chart: Chart, celcheck: Check, values: Values
) -> None:
    objects = chart.render(values).objects
    found = celcheck(objects)
    assert found["errors"] == []
    assert found["expressions"] == expressions(objects) > 50


def policy(expression: str) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "newer"},
        "spec": {"validations": [{"expression": expression}]},
    }


@pytest.mark.parametrize(
    ("expression", "version"),
    [
        pytest.param(
            "format.dns1123Label().validate(object.metadata.name) == optional.none()",
            "1.31",
            id="format",
        ),
        pytest.param("[1, 2].all(i, v, i < v)", "1.32", id="comprehension"),
        pytest.param("isSemver('1.0.0')", "1.33", id="semver"),
    ],
)
def test_a_function_of_a_newer_kubernetes_is_found(
    celcheck: Check, expression: str, version: str
) -> None:
    assert len(celcheck([policy(expression)])["errors"]) == 1
    assert celcheck([policy(expression)], version)["errors"] == []


def definition(field: Object) -> Object:
    """A definition whose `spec.a` is this."""
    spec = {"type": "object", "properties": {"a": field}}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "examples.example.com"},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
    }


def test_a_rule_of_a_newer_kubernetes_is_found_in_a_definition(celcheck: Check) -> None:
    rule = {"rule": "self.all(i, v, i < v)", "message": "must rise"}
    integers = {"type": "array", "maxItems": 9, "items": {"type": "integer"}}
    found = definition({**integers, "x-kubernetes-validations": [rule]})
    (error,) = celcheck([found])["errors"]
    assert error.startswith("examples.example.com.spec.a, rule 0")
    assert celcheck([found], "1.32")["errors"] == []


def test_a_rule_that_is_too_expensive_for_the_oldest_kubernetes_is_found(celcheck: Check) -> None:
    # Refused by a real API server of 1.30 with the same factor.
    quantity = {
        "x-kubernetes-int-or-string": True,
        "maxLength": 32,
        "x-kubernetes-validations": [{"rule": "type(self) == int || isQuantity(self)"}],
    }
    quantities = {"type": "object", "maxProperties": 16, "additionalProperties": quantity}
    (error,) = celcheck([definition(quantities)])["errors"]
    assert (
        error
        == "examples.example.com.spec.a{}, rule 0: its estimated cost is 1.007 times the limit"
    )
    assert celcheck([definition(quantities)], "1.34")["errors"] == []
