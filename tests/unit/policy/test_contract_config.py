"""A contract's bounds of config: images, classes, tolerations, Secrets and node selectors."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.policy.contract import explain, violations
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

_CONFIG = {
    "image": "evil.example.com/miner:1",
    "priorityClassName": "system-node-critical",
    "runtimeClassName": "nvidia",
    "tolerations": [{"operator": "Exists"}],
    "imagePullSecrets": [{"name": "pull"}],
    "nodeSelector": {"disk": "ssd"},
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
    ]


def test_all_of_it_can_be_allowed() -> None:
    bounds = {
        "images": ["*"],
        "priorityClassNames": ["*"],
        "runtimeClassNames": ["nvidia"],
        "tolerations": "Allow",
        "imagePullSecrets": "Allow",
    }
    assert found(bounds, _CONFIG) == []


@pytest.mark.parametrize("bounds", [{}, {"nodeSelector": "Forbid"}, None, "*", {"images": "*"}])
@pytest.mark.parametrize("config", [{}, {"image": "", "tolerations": [], "nodeSelector": {}}])
def test_what_is_left_out_needs_no_leave(bounds: Any, config: dict[str, Any]) -> None:
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
def test_an_image_is_held_to_the_whole_glob(image: str, allowed: bool) -> None:
    assert (found({"images": ["r.example.com/llama:*"]}, {"image": image}) == []) is allowed


@pytest.mark.parametrize("bounds", [{"images": "*"}, {"images": [1]}, {"images": None}, None])
def test_bounds_that_cannot_be_read_allow_no_image(bounds: Any) -> None:
    assert found(bounds, {"image": "x"}) == [("ImageNotAllowed", "spec.config.image")]


def test_the_answer_says_what_was_asked_and_what_would_be_allowed() -> None:
    contract = make_contract(config={"images": ["b:*", "a:*"]})
    config = {"image": "x:1", "priorityClassName": "high", "tolerations": [{"key": "a"}]}
    assert explain(violations(make_facts(contract, serve=make_demanding(config=config)))) == (
        "spec.config.image: image x:1; contract demo allows a:*, b:*; "
        "spec.config.priorityClassName: priority class high; "
        "contract demo allows none; leave it out; "
        "spec.config.tolerations: 1 given; contract demo allows none; leave it out"
    )
