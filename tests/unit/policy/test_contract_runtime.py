"""A contract's bounds of runtimeParams."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.policy.contract.contract_policy import explain, violations
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts


def found(bounds: dict[str, Any], params: dict[str, Any], **spec: Any) -> str:
    serve = make_demanding(runtimeParams=params, **spec)
    return explain(violations(make_facts(make_contract(runtimeParams=bounds), serve=serve)))


@pytest.mark.parametrize(
    ("bound", "limit", "name"),
    [
        ("maxContextSize", 8192, "contextSize"),
        ("maxParallel", 4, "parallel"),
        ("maxThreads", 2, "threads"),
        ("maxThreads", 2, "threadsBatch"),
        ("maxBatchSize", 2048, "batchSize"),
        ("maxBatchSize", 2048, "ubatchSize"),
        ("maxGpuLayers", 10, "gpuLayers"),
        ("maxCacheRamMiB", 256, "cacheRamMiB"),
        ("maxContextCheckpoints", 8, "contextCheckpoints"),
    ],
)
def test_a_parameter_may_reach_its_bound_and_no_further(bound: str, limit: int, name: str) -> None:
    assert found({bound: limit}, {name: limit}) == ""
    assert found({bound: limit}, {name: limit + 1}) == (
        f"spec.runtimeParams.{name}: {limit + 1}; contract demo allows {limit} at most"
    )
    assert found({}, {name: limit + 1}) == ""


@pytest.mark.parametrize(
    ("bounds", "field", "default"),
    [
        ({"maxContextSize": 2048}, "contextSize", 4096),
        ({"maxParallel": 0}, "parallel", 1),
        ({"maxThreads": 1}, "threads", 2),
        ({"maxBatchSize": 512}, "batchSize", 2048),
        ({"maxContextCheckpoints": 8}, "contextCheckpoints", 32),
    ],
)
def test_default_is_checked_against_the_bound(
    bounds: dict[str, Any], field: str, default: int
) -> None:
    assert f"spec.runtimeParams.{field}: {default}, the default; contract demo" in found(bounds, {})


def test_batches_that_follow_the_context_are_bounded() -> None:
    params = {"mode": "Embedding", "contextSize": 8192}
    assert "batchSize: 8192, the default" in found({"maxBatchSize": 2048}, params)
    assert found({"maxBatchSize": 2048}, {**params, "batchSize": 2048}) == ""


def test_checkpoints_set_by_a_flag_are_bounded() -> None:
    flag = {"extraArgs": ["--ctx-checkpoints", "16"]}
    assert "contextCheckpoints: 16" in found({"maxContextCheckpoints": 8}, flag)
    assert found({"maxContextCheckpoints": 16}, flag) == ""


def test_threads_follow_the_cpu_limit() -> None:
    assert "8, the default" in found(
        {"maxThreads": 4}, {}, resources={"limits": {"cpu": 8, "memory": "8Gi"}}
    )


def test_bounded_gpu_layers_must_be_set() -> None:
    gpu = {"limits": {"nvidia.com/gpu": 1}}
    assert "spec.runtimeParams.gpuLayers: not set" in found({"maxGpuLayers": 9}, {}, resources=gpu)
    assert found({"maxGpuLayers": 9}, {}) == ""
    assert found({"maxGpuLayers": 9}, {"gpuLayers": 9}, resources=gpu) == ""


def test_value_that_is_not_a_number_exceeds_any_bound() -> None:
    assert "OverRuntimeBound" in {
        each.reason
        for each in violations(
            make_facts(
                make_contract(runtimeParams={"maxParallel": 4}),
                serve=make_demanding(runtimeParams={"parallel": "many"}),
            )
        )
    }


def test_extra_args_can_be_forbidden_altogether() -> None:
    text = found({"extraArgs": "Forbid"}, {"extraArgs": ["--temp", "0.7"]})
    assert text == "spec.runtimeParams.extraArgs: contract demo allows none; remove it"
    assert found({"extraArgs": "Forbid"}, {"extraArgs": []}) == ""


@pytest.mark.parametrize("given", [["--keep", "1", "--temp", "0.7"], ["--special", "--temp=0.7"]])
def test_forbidden_flag_is_found_at_any_position(given: list[str]) -> None:
    text = found({"forbiddenExtraArgs": ["--temp", "--seed"]}, {"extraArgs": given})
    assert "contract demo doesn't allow --temp; remove it" in text
    assert f"extraArgs[{[item[:6] for item in given].index('--temp')}]" in text


def test_other_flags_pass_beside_a_forbidden_one() -> None:
    assert found({"forbiddenExtraArgs": ["--temp"]}, {"extraArgs": ["--top-k", "40"]}) == ""


@pytest.mark.parametrize(
    ("forbidden", "given"), [("--temp", "--temperature"), ("-cmoe", "--cpu-moe")]
)
def test_a_flag_is_forbidden_by_all_its_names(forbidden: str, given: str) -> None:
    text = found({"forbiddenExtraArgs": [forbidden]}, {"extraArgs": [given]})
    assert f"doesn't allow {given}" in text
