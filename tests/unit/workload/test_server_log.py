"""The lines with the cause are found at the end of llama-server's log.

The logs are those of build 11669 as PID 1 of its namespaces, cut as the kubelet cuts them. Only
`cuda.log` is put together, of lines that builds for GPUs print.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.pod_findings import find_problem
from roadstead.api.server_log import MAX_CAUSES, find_causes
from tests.support.builders.pods import backing_off, ended, pod

LOGS = Path(__file__).parent / "logs"
_LOAD = "llama_model_load: error loading model: "
_GGUF = "gguf_init_from_reader: "
_CAUSES = {
    "projector": [f"{_LOAD}CLIP cannot be used as main model, use it with --mmproj instead"],
    "adapter": [
        f"{_LOAD}error loading model hyperparameters: key not found in model: llama.context_length"
    ],
    "unknown-architecture": [f"{_LOAD}unknown model architecture: 'flux'"],
    "no-prefix": [f"{_LOAD}unknown model architecture: 'flux'"],
    "removed-tensor-type": [
        f"{_GGUF}tensor 'blk.0.attn_q.weight' of type 31 (TYPE_Q4_0_4_4 REMOVED, use Q4_0 with "
        "runtime repacking) has 32 elements per row, not a multiple of block size (0)"
    ],
    "newer-tensor-type": [
        f"{_GGUF}tensor 'blk.0.attn_q.weight' has invalid ggml type 99. should be in [0, 43)"
    ],
    "long-tensor-name": [f"{_GGUF}tensor name 1 is too long: 64 >= 64"],
    "no-gguf": [f"{_GGUF}invalid magic characters: '<htm', expected 'GGUF'"],
    "no-file": [
        "gguf_init_from_file: failed to open GGUF file '/models/model.gguf' "
        "(No such file or directory)"
    ],
    "truncated": [
        f"{_LOAD}tensor 'blk.0.ffn_gate.weight' data is not within the file bounds, model is "
        "corrupted or incomplete"
    ],
    "missing-tensor": [f"{_LOAD}check_tensor_dims: tensor 'blk.1.ffn_up.weight' not found"],
    "wrong-shape": [
        f"{_LOAD}check_tensor_dims: tensor 'blk.1.ffn_up.weight' has wrong shape; expected 64, "
        "128, got 64, 130, 1, 1"
    ],
    "unknown-tokenizer": [
        f"{_LOAD}error loading model vocabulary: unknown pre-tokenizer type: 'nosuch-pre'"
    ],
    "cache-type": [
        "llama_init_from_model: K cache type q8_0 with block size 32 does not divide "
        "n_embd_head_k=80"
    ],
    "cache-type-v": ["llama_init_from_model: quantized V cache requires flash_attn to be enabled"],
    "invalid-flag": ["error: invalid argument: --nosuch"],
    "invalid-value": ['error while handling argument "--ctx-size": stoi'],
    "no-memory": [
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 26367.75 MB)",
        "ggml_backend_buft_alloc_buffer_n_default: failed to allocate CPU buffer of size "
        "27648589824",
        "llama_init_from_model: failed to initialize the context: failed to allocate buffer for "
        "kv cache",
    ],
    "cuda": [
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 26367.75 MiB on device 0: "
        "cudaMalloc failed: out of memory",
        "alloc_tensor_range: failed to allocate CUDA0 buffer of size 27648589824",
        f"{_LOAD}unable to allocate CUDA0 buffer",
    ],
    "chat-template": [
        "common_chat_templates_init: error: parser: Parser Error: Expected }} (Got })",
        "srv init: init: please consider disabling jinja via --no-jinja, or use a custom chat "
        "template via --chat-template",
        "srv init: init: for example: --no-jinja --chat-template chatml",
    ],
    "assertion": ["./src/ggml.c:3366: GGML_ASSERT(ggml_can_mul_mat(a, b)) failed"],
    "stack-trace": [],
    "ended": [
        "srv init: --cache-idle-slots requires --cache-ram, disabling",
        "srv llama_server: model loaded",
        "srv llama_server: listening on http://0.0.0.0:8080",
    ],
}


def log_of(name: str) -> str:
    return (LOGS / f"{name}.log").read_text(encoding="utf-8")


def message(name: str, code: int) -> str:
    found = find_problem(pod(server=backing_off(ended(code, message=log_of(name)))))
    assert found is not None
    assert found.reason == "CrashLooping"
    return found.message


@pytest.mark.parametrize("name", _CAUSES)
def test_lines_with_the_cause_are_found(name: str) -> None:
    assert find_causes(log_of(name)) == _CAUSES[name]


def test_each_log_has_an_expectation() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == {*_CAUSES, "loading"}


def test_the_cause_is_in_the_status() -> None:
    assert message("unknown-architecture", 1) == (
        "pod gemma-1: llama-server exited with code 1: llama_model_load: error loading model: "
        "unknown model architecture: 'flux', restarted 3 times"
    )


@pytest.mark.parametrize(
    ("code", "log", "said"),
    [
        pytest.param(132, "loading", "the image needs CPU instructions that this node", id="132"),
        pytest.param(134, "assertion", "an internal check failed; ./src/ggml.c:3366: ", id="134"),
        pytest.param(137, "loading", "it was killed, and not for its memory limit: the", id="137"),
        pytest.param(139, "assertion", "it crashed; ./src/ggml.c:3366: GGML_ASSERT(", id="139"),
        pytest.param(
            139,
            "stack-trace",
            "`kubectl logs --previous gemma-1` shows why, above the stack trace",
            id="139 with a stack trace",
        ),
        pytest.param(143, "loading", "it was terminated before it was ready", id="143"),
    ],
)
def test_an_exit_code_of_a_signal_is_explained(code: int, log: str, said: str) -> None:
    assert f"exited with code {code}: " in message(log, code)
    assert said in message(log, code)


def test_log_of_a_killed_server_is_ignored() -> None:
    assert "load_model" not in message("loading", 137)


def test_oom_killed_server_is_out_of_memory() -> None:
    found = find_problem(pod(server=backing_off(ended(137, "OOMKilled", log_of("loading")))))
    assert found is not None
    assert found.reason == "OutOfMemory"


def test_line_that_the_kubelet_truncated_is_excluded() -> None:
    log = f"error=1&X-Amz-Signature=abc\nerror: one\n{'x' * 2048}"
    assert find_causes(log) == ["error: one"]


def test_constant_line_is_better_than_none() -> None:
    assert find_causes("1.00.000.000 E srv  llama_server: exiting due to model loading error") == [
        "srv llama_server: exiting due to model loading error"
    ]


def test_cause_has_no_query_of_a_url() -> None:
    url = "error: http://store/a?X-Amz-Signature=abc"
    found = find_problem(pod(server=backing_off(ended(1, message=url))))
    assert found is not None
    assert "error: http://store/a?..." in found.message
    assert "abc" not in found.message


@given(st.text(alphabet=st.sampled_from("EI 0.:?=[]\x1b\nerror\x9b")))
def test_any_log_has_few_printable_causes(log: str) -> None:
    found = find_causes(log)
    assert len(found) <= MAX_CAUSES
    assert all(line.isprintable() and line for line in found)
