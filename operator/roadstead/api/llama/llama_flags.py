"""`runtimeParams` as the arguments of llama.cpp's `llama-server`, from an allow-list.

Some of llama-server's flags run commands, read files or fetch URLs (`--tools`, `--mcp-servers-*`,
`--lora`, `--model-url`, `--hf-*`, `--rpc`), and each build adds flags: so a flag that isn't known
to be safe is refused. Every flag of the builds that Roadstead is tested with is in one of three
tables: allowed (`llama_extra.EXTRA`), set by a field (`llama_extra.FIELD_OF`) or refused for a
reason (`llama_refused.REFUSED`). Source: ggml-org/llama.cpp, tools/server/README.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from decimal import ROUND_FLOOR, Decimal

from roadstead.api.llama.llama_aliases import canonical, spellings
from roadstead.api.llama.llama_extra import EXTRA, FIELD_OF
from roadstead.api.llama.llama_refused import REFUSED
from roadstead.api.llama.llama_templates import JINJA_TEMPLATES, TEMPLATE_NAMES
from roadstead.api.llama.llama_values import DECIMAL, INTEGER, SWITCH, Value, choice, whole
from roadstead.api.quantity import parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.api.slots import CHECKPOINTS_FLAG, CONTEXT_SIZE, PARALLEL, slots_of
from roadstead.errors import InvalidResource

PORT = 8080
ALL_IPV4 = "0.0.0.0"  # noqa: S104 - a pod's own address is not known yet
# Both families. llama-server exits on a node without IPv6, so only clusters of IPv6 get it.
ALL_ADDRESSES = "::"
MODEL_PATH = "/models/model.gguf"
CACHE_RAM_MIB = 0
# The default without a cpu limit or request. llama-server's own default is every core of the node,
# which throttles it and its neighbours.
THREADS = 2
MAX_THREADS = 1024

_FIELD = "spec.runtimeParams"
_TEMPLATE_FLAG = "--chat-template"
_SHOWN = 40
_CACHE_TYPE = choice("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
_REASONING = choice("none", "deepseek", "deepseek-legacy", "auto")
_TEMPLATE = choice(*TEMPLATE_NAMES)
_TYPED: tuple[tuple[str, str, Value], ...] = (
    ("contextSize", "--ctx-size", INTEGER),
    ("parallel", "--parallel", INTEGER),
    ("cacheRamMiB", "--cache-ram", INTEGER),
    ("contextCheckpoints", CHECKPOINTS_FLAG, INTEGER),
    ("threads", "--threads", INTEGER),
    ("threadsBatch", "--threads-batch", INTEGER),
    ("batchSize", "--batch-size", INTEGER),
    ("ubatchSize", "--ubatch-size", INTEGER),
    ("gpuLayers", "--n-gpu-layers", INTEGER),
    ("cacheTypeK", "--cache-type-k", _CACHE_TYPE),
    ("cacheTypeV", "--cache-type-v", _CACHE_TYPE),
    ("flashAttention", "--flash-attn", choice("auto", "on", "off")),
    ("loadMode", "--load-mode", choice("mmap", "none", "mlock")),
    ("maxTokens", "--n-predict", INTEGER),
    ("seed", "--seed", whole(-1, 2**32 - 1)),
    ("ropeScaling", "--rope-scaling", choice("none", "linear", "yarn")),
    ("ropeFreqBase", "--rope-freq-base", DECIMAL),
    ("ropeFreqScale", "--rope-freq-scale", DECIMAL),
    ("reasoningFormat", "--reasoning-format", _REASONING),
)  # fmt: skip
_MODES: dict[str, tuple[str, ...]] = {
    "Chat": (),
    "Embedding": ("--embedding",),
    "Rerank": ("--rerank",),
}


def server_args(
    params: Raw, alias: str, resources: Raw, gguf: Raw | None = None, *, host: str = ALL_IPV4
) -> list[str]:
    """llama-server's arguments for `spec.runtimeParams`; `alias` is the model's name in its API.

    Port, context, parallelism, prompt cache and threads are always set: their defaults in
    llama-server differ between builds and ignore the pod's limits. `gguf` is the Model's
    `status.gguf`; the batch sizes depend on it (`roadstead.api.slots`). `host` is the address to
    listen on. Raises `InvalidResource`.
    """
    given = {
        "contextSize": CONTEXT_SIZE,
        "parallel": PARALLEL,
        "cacheRamMiB": CACHE_RAM_MIB,
        "threads": default_threads(resources),
        **{key: value for key, value in params.items() if value is not None},
    }
    extra = extra_args(_texts(given.get("extraArgs")))
    if CHECKPOINTS_FLAG in extra and "contextCheckpoints" in given:
        raise InvalidResource(
            f"{_FIELD}.extraArgs",
            f"{CHECKPOINTS_FLAG} is also set by {_FIELD}.contextCheckpoints; remove it here",
        )
    return [
        *_fixed(alias, host),
        *_typed({**given, **_batches(given, gguf or {})}),
        *_template(given.get("chatTemplate"), extra),
        *_mode(given.get("mode", "Chat")),
        *extra,
    ]


def default_threads(resources: Raw) -> int:
    """The whole cores of the cpu limit, else of the request; 1 to 1024."""
    for part in ("limits", "requests"):
        cpu = section(resources, part).get("cpu")
        if cpu is not None:
            cores: Decimal = parse_quantity(cpu, field=f"spec.resources.{part}.cpu")
            return min(MAX_THREADS, max(1, int(cores.to_integral_value(rounding=ROUND_FLOOR))))
    return THREADS


def extra_args(given: Sequence[str]) -> list[str]:
    """`extraArgs` with canonical names. Raises `InvalidResource` for a flag or value not allowed.

    The value of a flag is `--flag=value` or the next item; a flag may have any of its names.
    """
    return list(_extra(list(given)))


def _batches(given: Raw, gguf: Raw) -> Raw:
    """Batch sizes for a whole input, if the mode needs that; invalid ones are left to `_typed`."""
    slots = slots_of(given, gguf)
    found = {"batchSize": slots.batch, "ubatchSize": slots.ubatch} if slots.follows else {}
    return {name: value for name, value in found.items() if _usable(given.get(name, value))}


def _usable(count: object) -> bool:
    return type(count) is int and count > 0


def _fixed(alias: str, host: str) -> list[str]:
    return [
        "--model", MODEL_PATH, "--alias", alias,
        "--host", host, "--port", str(PORT),
        # `--no-webui` is `--no-ui` in old and new builds: llama.cpp's page needs no API key.
        # `/slots` would show the prompts of other callers.
        "--metrics", "--no-slots", "--no-webui", "--offline",
    ]  # fmt: skip


def _typed(given: Raw) -> Iterator[str]:
    for field, flag, value in _TYPED:
        if field in given:
            yield flag
            yield value.checked(given[field], field=f"{_FIELD}.{field}", flag=flag)


def _template(name: object, extra: Sequence[str]) -> tuple[str, ...]:
    """With Jinja if Roadstead has the template in Jinja: requests with tools need it."""
    if name is None:
        return ()
    field = f"{_FIELD}.chatTemplate"
    checked = _TEMPLATE.checked(name, field=field, flag=_TEMPLATE_FLAG)
    text = JINJA_TEMPLATES.get(checked)
    if text is not None and "--no-jinja" not in extra:
        return ("--jinja", _TEMPLATE_FLAG, text)
    if "--jinja" in extra and text is None:
        also = ", ".join(sorted(JINJA_TEMPLATES))
        raise InvalidResource(
            field,
            f"{checked} does not work with --jinja in extraArgs: llama-server has it only without "
            f"Jinja; remove one of them, or use one of {also}",
        )
    return ("--no-jinja", _TEMPLATE_FLAG, checked)


def _texts(given: object) -> list[str]:
    items = [] if given is None else given
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise InvalidResource(
            f"{_FIELD}.extraArgs", "expected a list of strings, such as [--temp, '0.7']"
        )
    return list(items)


def _mode(mode: object) -> tuple[str, ...]:
    if not isinstance(mode, str) or mode not in _MODES:
        raise InvalidResource(f"{_FIELD}.mode", f"expected one of {', '.join(_MODES)}")
    return _MODES[str(mode)]


def _extra(rest: list[str]) -> Iterator[str]:
    index = 0
    while index < len(rest):
        field = f"{_FIELD}.extraArgs[{index}]"
        written, joined, value = rest[index].partition("=")
        flag = canonical(written)
        kind = _allowed(written, flag, field)
        yield flag
        index += 1
        if kind is SWITCH:
            if joined:
                raise InvalidResource(field, f"{flag} takes no value")
            continue
        if not joined:
            if index == len(rest):
                raise InvalidResource(field, f"{flag} needs a value: {kind.form}")
            field, value = f"{_FIELD}.extraArgs[{index}]", rest[index]
            index += 1
        yield kind.checked(value, field=field, flag=flag)


def _allowed(written: str, flag: str, field: str) -> Value:
    if flag in EXTRA:
        return EXTRA[flag]
    if flag in FIELD_OF:
        raise InvalidResource(field, f"{written} is set by {FIELD_OF[flag]}; use that field")
    if flag in REFUSED:
        raise InvalidResource(field, f"{written} is not allowed: {REFUSED[flag]}")
    shown = written if len(written) <= _SHOWN else f"{written[:_SHOWN]}..."
    raise InvalidResource(
        field,
        f"{shown!r} is not allowed: the operator does not know this flag of llama-server; "
        f"{_suggestion(written[:_SHOWN])}docs/reference/llama-flags.md lists the allowed flags",
    )


def _suggestion(written: str) -> str:
    names = [name for flag in EXTRA for name in spellings(flag)]
    found = difflib.get_close_matches(written, names, n=1, cutoff=0.75)
    return f"did you mean {found[0]}? " if found else ""
