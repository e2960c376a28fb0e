"""A contract's bounds of config: images, classes, tolerations, Secrets and node selectors."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.policy.contract.contract_policy import explain, violations
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

_CONFIG = {
    "image": "evil.example.com/miner:1",
    "priorityClassName": "system-node-critical",
    "runtimeClassName": "nvidia",
    "tolerations": [{"operator": "Exists"}],
    "imagePullSecrets": [{"name": "pull"}],
    "nodeSelector": {"disk": "ssd"},
    "podAnnotations": {"sidecar.istio.io/inject": "true"},
    "terminationGracePeriodSeconds": 301,
}


def found(bounds: Any, config: dict[str, Any]) -> list[tuple[str, str]]:
    facts = make_facts(make_contract(config=bounds), serve=make_demanding(config=config))
    return [(each.reason, each.field) for each in violations(facts)]


def test_by_default_only_the_operators_own_image_runs_anywhere_untainted() -> None:
    assert found({}, _CONFIG) == [
        ("ImageNotAllowed", "spec.config.image"),
        ("PlacementNotAllowed", "spec.config.priorityClassName"),
        ("PlacementNotAllowed", "spec.config.runtimeClassName"),
        ("ImageNotAllowed", "spec.config.imagePullSecrets"),
        ("PlacementNotAllowed", "spec.config.tolerations"),
        ("ConfigNotAllowed", "spec.config.podAnnotations"),
        ("ConfigNotAllowed", "spec.config.terminationGracePeriodSeconds"),
    ]


def test_all_config_can_be_allowed() -> None:
    bounds = {
        "images": ["*"],
        "priorityClassNames": ["*"],
        "runtimeClassNames": ["nvidia"],
        "tolerations": "Allow",
        "imagePullSecrets": "Allow",
        "podAnnotations": ["sidecar.istio.io/*"],
        "maxTerminationGracePeriodSeconds": 301,
    }
    assert found(bounds, _CONFIG) == []


@pytest.mark.parametrize("bounds", [{}, {"nodeSelector": "Forbid"}, None, "*", {"images": "*"}])
@pytest.mark.parametrize("config", [{}, {"image": "", "tolerations": [], "nodeSelector": {}}])
def test_omitted_fields_are_allowed(bounds: Any, config: dict[str, Any]) -> None:
    assert found(bounds, config) == []


def test_a_node_selector_can_be_forbidden() -> None:
    assert found({"nodeSelector": "Forbid"}, {"nodeSelector": {"disk": "ssd"}}) == [
        ("PlacementNotAllowed", "spec.config.nodeSelector")
    ]


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("r.example.com/llama:1", True),
        ("r.example.com/llama:2@sha256:00", True),
        ("r.example.com/other:1", False),
        ("evil.example.com/r.example.com/llama:1", False),
    ],
)
def test_image_must_match_the_whole_glob(image: str, allowed: bool) -> None:
    assert (found({"images": ["r.example.com/llama:*"]}, {"image": image}) == []) is allowed


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("example.com/owner", True),
        ("example.com/a/b", True),
        ("note", True),
        ("notes", False),
        ("sidecar.istio.io/inject", False),
        ("evil.io/example.com/owner", False),
        ("example.com/" + "x" * 306, False),
    ],
)
def test_annotation_must_match_the_whole_glob(key: str, allowed: bool) -> None:
    bounds = {"podAnnotations": ["example.com/*", "note"]}
    config = {"podAnnotations": {"example.com/fine": "", key: ""}}
    assert (found(bounds, config) == []) is allowed


def test_annotation_keys_are_truncated() -> None:
    config = {"podAnnotations": {"k" * 100_000: ""}}
    assert explain(
        violations(make_facts(make_contract(), serve=make_demanding(config=config)))
    ) == (f"spec.config.podAnnotations: {'k' * 64}; contract demo allows none; remove it")


@pytest.mark.parametrize(
    ("bounds", "most"),
    [
        ({}, 300),
        ({"maxTerminationGracePeriodSeconds": "3600"}, 300),
        ({"maxTerminationGracePeriodSeconds": 3600}, 3600),
        ({"maxTerminationGracePeriodSeconds": 0}, 0),
    ],
)
def test_the_grace_period_has_a_bound(bounds: Any, most: int) -> None:
    assert found(bounds, {"terminationGracePeriodSeconds": most}) == []
    assert found(bounds, {"terminationGracePeriodSeconds": most + 1}) == [
        ("ConfigNotAllowed", "spec.config.terminationGracePeriodSeconds")
    ]


@pytest.mark.parametrize("bounds", [{"images": "*"}, {"images": [1]}, {"images": None}, None])
def test_invalid_bounds_allow_no_image(bounds: Any) -> None:
    assert found(bounds, {"image": "x"}) == [("ImageNotAllowed", "spec.config.image")]


def test_violation_has_the_requested_and_the_allowed_values() -> None:
    contract = make_contract(config={"images": ["b:*", "a:*"]})
    config = {"image": "x:1", "priorityClassName": "high", "tolerations": [{"key": "a"}]}
    assert explain(violations(make_facts(contract, serve=make_demanding(config=config)))) == (
        "spec.config.image: image x:1; contract demo allows a:*, b:*; "
        "spec.config.priorityClassName: priority class high; "
        "contract demo allows none; remove it; "
        "spec.config.tolerations: 1 given; contract demo allows none; remove it"
    )
