"""Flags of llama-server are on an allow-list, and no value becomes a flag."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.llama.llama_extra import EXTRA, FIELD_OF
from roadstead.api.llama.llama_flags import default_threads, extra_args, server_args
from roadstead.api.llama.llama_refused import REFUSED
from roadstead.api.llama.llama_values import SWITCH, Value
from roadstead.errors import InvalidResource

_DANGEROUS = [
    "--tools", "--agent", "--mcp-servers-config", "--mcp-servers-json", "--ui-mcp-proxy",
    "--model-url", "-mu", "--hf-repo", "-hf", "--hf-token", "--docker-repo", "--slot-save-path",
    "--media-path", "--path", "--rpc", "--log-file", "--lora", "--lora-scaled", "--api-key",
    "--control-vector", "--mmproj", "--mmproj-url", "--grammar-file", "--json-schema-file",
    "--chat-template-file", "--ssl-key-file", "--models-dir", "--log-prompts-dir", "--props",
    "--lookup-cache-dynamic", "--spec-draft-model", "--video-ffmpeg-dir", "--override-kv",
    "--fim-qwen-7b-spec", "--verbose", "-v", "--api-prefix", "--cors-origins", "--tools-runtime",
]  # fmt: skip


def value_after(args: list[str], flag: str) -> str:
    assert args.count(flag) == 1
    return args[args.index(flag) + 1]


def args_for(params: dict[str, Any], **resources: Any) -> list[str]:
    return server_args(params, "gemma-3-270m", resources)


def test_flags_with_unsuitable_defaults_are_always_set() -> None:
    args = args_for({})
    assert value_after(args, "--port") == "8080"
    assert value_after(args, "--ctx-size") == "4096"
    assert value_after(args, "--parallel") == "1"
    assert value_after(args, "--cache-ram") == "0"
    assert value_after(args, "--threads") == "2"
    assert value_after(args, "--alias") == "gemma-3-270m"
    assert {"--offline", "--metrics", "--no-slots", "--no-webui"} <= set(args)


@pytest.mark.parametrize(
    ("field", "value", "flag", "text"),
    [
        ("contextSize", 8192, "--ctx-size", "8192"),
        ("parallel", 4, "--parallel", "4"),
        ("threads", 3, "--threads", "3"),
        ("threadsBatch", 5, "--threads-batch", "5"),
        ("batchSize", 512, "--batch-size", "512"),
        ("ubatchSize", 128, "--ubatch-size", "128"),
        ("gpuLayers", 99, "--n-gpu-layers", "99"),
        ("cacheRamMiB", 256, "--cache-ram", "256"),
        ("contextCheckpoints", 4, "--ctx-checkpoints", "4"),
        ("cacheTypeK", "q8_0", "--cache-type-k", "q8_0"),
        ("cacheTypeV", "q4_1", "--cache-type-v", "q4_1"),
        ("flashAttention", "on", "--flash-attn", "on"),
        ("loadMode", "mlock", "--load-mode", "mlock"),
        ("maxTokens", -1, "--n-predict", "-1"),
        ("seed", 7, "--seed", "7"),
        ("ropeScaling", "yarn", "--rope-scaling", "yarn"),
        ("ropeFreqBase", "10000.5", "--rope-freq-base", "10000.5"),
        ("ropeFreqScale", "0.25", "--rope-freq-scale", "0.25"),
        ("ropeFreqScale", ".25", "--rope-freq-scale", ".25"),
        ("ropeFreqBase", "1e6", "--rope-freq-base", "1e6"),
        ("reasoningFormat", "none", "--reasoning-format", "none"),
        ("chatTemplate", "gemma", "--chat-template", "gemma"),
    ],
)
def test_each_field_becomes_its_flag(field: str, value: Any, flag: str, text: str) -> None:
    assert value_after(args_for({field: value}), flag) == text


@pytest.mark.parametrize(
    ("mode", "flags"), [("Chat", set()), ("Embedding", {"--embedding"}), ("Rerank", {"--rerank"})]
)
def test_the_mode_adds_its_flag(mode: str, flags: set[str]) -> None:
    assert set(args_for({"mode": mode})) & {"--embedding", "--rerank"} == flags


@pytest.mark.parametrize("mode", ["Embedding", "Rerank"])
def test_embedding_and_rerank_batches_fit_a_whole_input(mode: str) -> None:
    args = args_for({"mode": mode, "contextSize": 8192, "parallel": 2})
    assert value_after(args, "--batch-size") == "4096"
    assert value_after(args, "--ubatch-size") == "4096"


def test_batches_are_defaults_if_inputs_can_be_split() -> None:
    args = server_args({"mode": "Embedding"}, "m", {}, {"poolingType": "last"})
    assert not {"--batch-size", "--ubatch-size"} & set(args)


@pytest.mark.parametrize("count", [True, "512 --tools", 0.5])
def test_batch_that_is_not_a_number_is_refused(count: object) -> None:
    with pytest.raises(InvalidResource, match="for --ubatch-size: expected"):
        args_for({"mode": "Embedding", "ubatchSize": count})


def test_built_in_template_disables_jinja() -> None:
    args = args_for({"chatTemplate": "gemma"})
    assert args.index("--no-jinja") < args.index("--chat-template")


def test_chatml_enables_jinja_with_tools() -> None:
    args = args_for({"chatTemplate": "chatml"})
    assert "--no-jinja" not in args
    assert args.index("--jinja") < args.index("--chat-template")
    assert "<tools>" in value_after(args, "--chat-template")


def test_chatml_without_jinja_is_the_one_that_llama_server_has() -> None:
    args = args_for({"chatTemplate": "chatml", "extraArgs": ["--no-jinja"]})
    assert "--jinja" not in args
    assert value_after(args, "--chat-template") == "chatml"


def test_a_name_is_not_passed_as_the_text_of_a_jinja_template() -> None:
    with pytest.raises(InvalidResource, match="gemma does not work with --jinja in extraArgs"):
        args_for({"chatTemplate": "gemma", "extraArgs": ["--jinja"]})


@pytest.mark.parametrize(
    ("resources", "threads"),
    [
        ({}, 2),
        ({"limits": {"cpu": "4"}}, 4),
        ({"limits": {"cpu": 3}}, 3),
        ({"limits": {"cpu": "3500m"}, "requests": {"cpu": "1"}}, 3),
        ({"limits": {"cpu": "200m"}}, 1),
        ({"requests": {"cpu": "2.5"}}, 2),
        ({"limits": {"memory": "1Gi"}, "requests": {"cpu": "6"}}, 6),
        ({"requests": {"cpu": "9223372036854775807"}}, 1024),
    ],
)
def test_threads_follow_the_cpu(resources: dict[str, Any], threads: int) -> None:
    assert default_threads(resources) == threads


@pytest.mark.parametrize(
    ("given_args", "expected"),
    [
        pytest.param(["--top-k", "40"], ["--top-k", "40"], id="value"),
        pytest.param(["--top-k=40"], ["--top-k", "40"], id="joined"),
        pytest.param(["--top-nsigma", "-1.0"], ["--top-nsigma", "-1.0"], id="negative"),
        pytest.param(["--swa-full", "--keep", "-1"], ["--swa-full", "--keep", "-1"], id="switch"),
        pytest.param(
            ["--chat-template-kwargs", '{"a": "b=c"}'],
            ["--chat-template-kwargs", '{"a": "b=c"}'],
            id="json",
        ),
        pytest.param(["--temperature", "1"], ["--temp", "1"], id="another name"),
        pytest.param(["-ot=exps=CPU"], ["--override-tensor", "exps=CPU"], id="short name"),
        pytest.param([], [], id="none"),
    ],
)
def test_allowed_arguments_pass(given_args: list[str], expected: list[str]) -> None:
    assert extra_args(given_args) == expected


@pytest.mark.parametrize("flag", _DANGEROUS)
def test_a_dangerous_flag_is_refused(flag: str) -> None:
    with pytest.raises(InvalidResource, match="is not allowed: "):
        extra_args([flag, "x"])


@pytest.mark.parametrize("flag", sorted(REFUSED))
def test_a_refused_flag_is_refused_with_its_reason(flag: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        extra_args([flag, "x"])
    assert str(caught.value).endswith(f"{flag} is not allowed: {REFUSED[flag]}")


@pytest.mark.parametrize(("written", "meant"), [("--tempp", "--temp"), ("--cont-batch", "--cont")])
def test_misspelt_flag_is_refused_with_a_suggestion(written: str, meant: str) -> None:
    with pytest.raises(InvalidResource, match=f"did you mean {meant}"):
        extra_args([written])


@pytest.mark.parametrize("flag", sorted(FIELD_OF))
def test_a_flag_that_has_a_field_is_refused_with_its_name(flag: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        extra_args([flag, "1"])
    assert FIELD_OF[flag] in str(caught.value)


@pytest.mark.parametrize(
    ("given_args", "field", "message"),
    [
        pytest.param(["--top-k"], 0, "needs a value: a whole number", id="no value"),
        pytest.param(["--top-k", "--tools"], 1, "invalid value '--tools'", id="flag as value"),
        pytest.param(["--top-k", "4\n"], 1, "invalid value", id="newline"),
        pytest.param(["--top-k", "٤"], 1, "invalid value", id="other digits"),
        pytest.param(["--swa-full=1"], 0, "takes no value", id="switch with value"),
        pytest.param(["--swa-full", "1"], 1, "is not allowed", id="value after switch"),
        pytest.param(["--temp", "0.1", "--tools", "all"], 2, "is not allowed", id="third"),
        pytest.param(["--chat-template-kwargs", "[]"], 1, "JSON object", id="no object"),
        pytest.param(["--verbosity", "5"], 1, "a level from 0 to 3", id="logs of prompts"),
        pytest.param([""], 0, "is not allowed", id="empty"),
        pytest.param(["-" * 256], 0, "--...' is not allowed", id="long"),
    ],
)
def test_invalid_argument_is_reported_with_its_index(
    given_args: list[str], field: int, message: str
) -> None:
    with pytest.raises(InvalidResource) as caught:
        extra_args(given_args)
    assert caught.value.field == f"spec.runtimeParams.extraArgs[{field}]"
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "taken", "refused"),
    [
        ("--temp", ".7", "0.7x"),
        ("--temp", "7e-1", "7e"),
        ("--temp", "+0.7", "0x1p-1"),
        ("--temp", "7.", "."),
        ("--temp", "-1.0", "nan"),
        ("--temp", "3.4e38", "1e39"),
        ("--min-p", "1e-30", "1e-40"),
        ("--min-p", "0e0", "inf"),
        ("--tensor-split", ".5,1e0", ".5,"),
        ("--logit-bias", "5-.5", "5-nan"),
        ("--logit-bias", "5-inf", "5+inf"),
        ("--prio", "-1", "4"),
        ("--prio-batch", "0", "-1"),
        ("--cpu-range", "0-511", "0-512"),
        ("--cpu-range", "3-3", "7-0"),
        ("--cpu-mask", "0xff", "xyz"),
        ("--cpu-strict", "1", "2"),
        ("--checkpoint-min-step", "0", "-1"),
        ("--spec-type", "draft-mtp,ngram-mod", "draft-simple"),
        ("--spec-type", "ngram-cache", "ngram"),
        ("--spec-ngram-mod-n-max", "1024", "1025"),
        ("--spec-ngram-simple-size-n", "1", "0"),
        ("--spec-ngram-map-k-min-hits", "1", "0"),
        ("--sampler-seq", "kmtp", "kz"),
        ("--device", "CUDA0,CUDA1", "CUDA0,"),
        ("--device", "none", "RPC[127.0.0.1:50052]"),
        ("--override-tensor", ".ffn_.*_exps.=CPU", ".*=CUDA0"),
        ("--override-tensor", r"^blk\.(1|[2-9]).*\.ffn=CPU,x=CPU", "x=CPU,y"),
        ("--override-tensor", "(a|b)+=CPU", "(a=CPU"),
        ("--override-tensor", "a*=CPU", "a**=CPU"),
        ("--override-tensor", "[a-z]=CPU", "[z-a]=CPU"),
        ("--override-tensor", r"blk-1\.[^0-35-9]=CPU", "b[0-35-2]=CPU"),
        ("--override-tensor", r"^a|\.(up|down)_exps$=CPU", "()=CPU"),
        ("--reasoning-budget-message", "enough, now answer", "--tools"),
        ("--reasoning-budget-message", "genug für heute", "$(SECRET)"),
        ("--dry-sequence-breaker", ":", "a\nb"),
        ("--reasoning-effort", "xhigh", "much"),
        ("--top-k", "2147483647", "2147483648"),
        ("--keep", "-2147483648", "999999999999"),
        ("--repeat-last-n", "0", "-1"),
        ("--dry-penalty-last-n", "0", "-1"),
        ("--repeat-penalty", "0.01", "0.00"),
        ("--repeat-penalty", "1", "-1"),
        ("--n-cpu-moe", "0", "-1"),
        ("--reasoning-budget", "-1", "-2"),
        ("--sleep-idle-seconds", "-1", "0"),
        ("--spec-draft-n-max", "0", "-1"),
        ("--tensor-split", ",".join(["1"] * 15), ",".join(["1"] * 16)),
        ("--fit-target", ",".join(["1"] * 15), ",".join(["1"] * 16)),
        ("--logit-bias", "2147483647+1", "2147483648+1"),
        ("--chat-template-kwargs", '{"a": 1e9}', '{"a": 1e999}'),
        ("--chat-template-kwargs", '{"a": null}', '{"a": NaN}'),
        ("--chat-template-kwargs", '{"a": "x"}', '{"a": "\\ud800"}'),
    ],
)
def test_a_value_that_llama_server_exits_with_is_refused(
    flag: str, taken: str, refused: str
) -> None:
    assert extra_args([flag, taken]) == [flag, taken]
    with pytest.raises(InvalidResource, match="invalid value"):
        extra_args([flag, refused])


def test_a_server_starts_no_more_threads_for_requests_than_for_tokens() -> None:
    assert extra_args(["--threads-http", "1024"]) == ["--threads-http", "1024"]
    for many in ("1025", "1000000", "2147483647"):
        with pytest.raises(InvalidResource, match="from -1 to 1024"):
            extra_args(["--threads-http", many])


@pytest.mark.parametrize("given_args", ["--temp", 5, {"--temp": "1"}, [1], ["--temp", 0.7]])
def test_extra_args_must_be_a_list_of_strings(given_args: Any) -> None:
    with pytest.raises(InvalidResource, match="expected a list of strings"):
        args_for({"extraArgs": given_args})


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"contextSize": "--tools"}, "contextSize"),
        ({"contextSize": True}, "contextSize"),
        ({"cacheTypeK": "-1"}, "cacheTypeK"),
        ({"chatTemplate": "{{ messages }}"}, "chatTemplate"),
        ({"ropeFreqBase": "1e99"}, "ropeFreqBase"),
        ({"mode": "Shell"}, "mode"),
        ({"mode": ["Chat"]}, "mode"),
    ],
)
def test_a_typed_field_is_checked_even_if_the_schema_was_not(
    params: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidResource) as caught:
        args_for(params)
    assert caught.value.field == f"spec.runtimeParams.{field}"


_words = st.one_of(
    st.sampled_from([*EXTRA, *FIELD_OF, *_DANGEROUS]),
    st.text(max_size=20),
    st.integers(-100, 100).map(str),
    st.sampled_from(list(EXTRA)).flatmap(lambda flag: st.text(max_size=9).map(f"{flag}=".__add__)),
)


@given(st.lists(_words, max_size=8))
def test_result_has_only_allowed_flags(given_args: list[str]) -> None:
    try:
        args = extra_args(given_args)
    except InvalidResource:
        return
    _assert_flags_and_values(args)


_PLAUSIBLE = [
    *("1", "-1", "0.5", "auto", "on", "none", "layer", '{"a": 1}', "15043+1", "top_k", "3,1"),
    *("distribute", "ngram-simple", "high", "0-7", "x=CPU", "q8_0", "greedy", "kmtp"),
]
_usable = st.sampled_from(list(EXTRA)).flatmap(
    lambda flag: (
        st.just([flag])
        if EXTRA[flag] is SWITCH
        else st.sampled_from([text for text in _PLAUSIBLE if EXTRA[flag].fits(text)]).map(
            lambda value: [flag, value]
        )
    )
)


@given(st.lists(_usable, max_size=6))
def test_every_allowed_flag_accepts_valid_values(pairs: list[list[str]]) -> None:
    given_args = [arg for pair in pairs for arg in pair]
    assert extra_args(given_args) == given_args
    _assert_flags_and_values(given_args)


def _assert_flags_and_values(args: list[str]) -> None:
    rest = iter(args)
    for flag in rest:
        kind: Value = EXTRA[flag]
        if kind is not SWITCH:
            value = next(rest)
            assert kind.fits(value)
            assert value not in EXTRA


def test_checkpoints_are_set_by_the_field_or_the_flag_and_not_both() -> None:
    flag = {"extraArgs": ["--swa-checkpoints", "4"]}
    assert server_args(flag, "m", {})[-2:] == ["--ctx-checkpoints", "4"]
    with pytest.raises(InvalidResource, match=r"also set by .*contextCheckpoints"):
        server_args({**flag, "contextCheckpoints": 4}, "m", {})
