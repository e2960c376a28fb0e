"""Why `extraArgs` may not contain the flags of llama-server that are neither allowed nor a field.

All names of each flag are listed, since a refusal has the name that was written.
"""

from __future__ import annotations

from typing import Final

SET_BY_OPERATOR: Final = (
    "--host", "--port", "--metrics", "--slots", "--no-slots", "--offline",
    "--ui", "--no-ui", "--webui", "--no-webui", "--api-key", "--api-key-file",
)  # fmt: skip

_GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("the operator sets it; remove it", SET_BY_OPERATOR),
    (
        "it reads or writes files",
        (
            "--chat-template-file", "--lora", "--lora-scaled", "--control-vector",
            "--control-vector-scaled", "--control-vector-layer-range",
            "--lora-init-without-apply", "--mmproj", "-mm", "--grammar-file", "--json-schema-file",
            "-jf", "--lookup-cache-static", "-lcs", "--lookup-cache-dynamic", "-lcd",
            "--slot-save-path", "--media-path", "--path",
            "--models-dir", "--models-preset", "--log-file", "--log-prompts-dir", "--ssl-key-file",
            "--ssl-cert-file", "--ui-config-file", "--webui-config-file",
        ),
    ),
    (
        "it connects to other hosts; the model is downloaded from the store",
        (
            "--rpc", "--model-url", "-mu", "--docker-repo", "-dr", "--hf-repo", "-hf", "-hfr",
            "--hf-file", "-hff", "--hf-token", "-hft", "--mmproj-url", "-mmu", "--spec-draft-hf",
            "-hfd", "-hfrd", "--hf-repo-draft", "--embd-gemma-default", "--fim-qwen-1.5b-default",
            "--fim-qwen-3b-default", "--fim-qwen-7b-default", "--fim-qwen-7b-spec",
            "--fim-qwen-14b-spec", "--fim-qwen-30b-default", "--gpt-oss-20b-default",
            "--gpt-oss-120b-default", "--vision-gemma-4b-default", "--vision-gemma-12b-default",
        ),
    ),
    (
        "it lets callers run commands, read files or reach other hosts",
        (
            "--tools", "--tools-runtime", "--mcp-servers-config", "--mcp-servers-json",
            "--agent", "-ag", "--no-agent", "-no-ag", "--ui-mcp-proxy", "--webui-mcp-proxy",
            "--no-ui-mcp-proxy", "--no-webui-mcp-proxy", "--video-ffmpeg-dir",
        ),
    ),
    ("it lets a caller change the responses to other callers", ("--props",)),
    (
        "addresses, names and CORS are set by the operator and the gateway",
        (
            "--reuse-port", "--api-prefix", "--cors-origins", "--cors-methods", "--cors-headers",
            "--cors-credentials", "--no-cors-credentials", "--tags", "--ui-config",
            "--webui-config",
        ),
    ),
    (
        "the log would contain prompts; use --verbosity with 0 to 3",
        ("--verbose", "-v", "--log-verbose"),
    ),
    (
        "the operator reads the log to report why a server does not start",
        ("--log-disable", "--log-jsonl", "--no-log-jsonl", "--log-colors"),
    ),
    (
        "llama-server would print something and exit",
        (
            "--help", "-h", "--usage", "--version", "--cache-list", "-cl", "--completion-bash",
            "--list-devices",
        ),
    ),
    (
        "it changes the header of the model that was verified",
        ("--override-kv",),
    ),
    (
        "llama-server fails with one for all requests; set grammar or response_format in the "
        "request",
        ("--grammar", "--json-schema", "-j"),
    ),
    (
        "a server has one model, and this is for several",
        ("--models-max", "--models-autoload", "--no-models-autoload"),
    ),
    (
        "a server has no projector, so its input is text only",
        (
            "--mmproj-auto", "--mmproj-offload", "--no-mmproj-offload", "--mmproj-device", "-mmdev",
            "--image-min-tokens", "--image-max-tokens", "--mtmd-batch-max-tokens", "--video-fps",
            "--video-timestamp-interval",
        ),
    ),
    (
        "it is for a second model that drafts, which a server doesn't have; --spec-type with "
        "draft-mtp or one of ngram-* works without it",
        (
            "--spec-draft-model", "-md", "--model-draft", "--spec-draft-cpu-mask", "-Cd",
            "--cpu-mask-draft", "--spec-draft-cpu-range", "-Crd", "--cpu-range-draft",
            "--spec-draft-cpu-strict", "--cpu-strict-draft", "--spec-draft-prio", "--prio-draft",
            "--spec-draft-poll", "--poll-draft", "--spec-draft-cpu-mask-batch", "-Cbd",
            "--cpu-mask-batch-draft", "--spec-draft-cpu-strict-batch", "--cpu-strict-batch-draft",
            "--spec-draft-prio-batch", "--prio-batch-draft", "--spec-draft-poll-batch",
            "--poll-batch-draft", "--spec-draft-override-tensor", "-otd",
            "--override-tensor-draft", "--spec-draft-cpu-moe", "-cmoed", "--cpu-moe-draft",
            "--spec-draft-n-cpu-moe", "--spec-draft-ncmoe", "-ncmoed", "--n-cpu-moe-draft",
            "--spec-draft-device", "-devd", "--device-draft", "--spec-draft-ngl", "-ngld",
            "--gpu-layers-draft", "--n-gpu-layers-draft",
        ),
    ),
    (
        "drafts run with the threads of spec.runtimeParams.threads, which contracts bound",
        (
            "--spec-draft-threads", "-td", "--threads-draft", "--spec-draft-threads-batch", "-tbd",
            "--threads-batch-draft",
        ),
    ),
    (
        "it is for benchmarks and makes responses wrong",
        ("--spec-synth-len", "--spec-synth-rates"),
    ),
    (
        "older builds of llama-server do not have it",
        ("--moe-cache-mib", "--spec-draft-n-ubatch"),
    ),
    ("llama-server no longer uses it", ("--defrag-thold", "-dt")),
    (
        "llama-server removed it; use --spec-draft-n-max or --spec-ngram-mod-n-max",
        ("--draft", "--draft-n", "--draft-max"),
    ),
    (
        "llama-server removed it; use --spec-draft-n-min or --spec-ngram-mod-n-min",
        ("--draft-min", "--draft-n-min"),
    ),
    (
        "llama-server removed it; use the flag of the --spec-type, such as "
        "--spec-ngram-simple-size-n",
        ("--spec-ngram-size-n", "--spec-ngram-size-m", "--spec-ngram-min-hits"),
    ),
)  # fmt: skip

REFUSED: Final = {flag: reason for reason, flags in _GROUPS for flag in flags}
"""The reason of each flag."""
