"""How a server divides its context among slots, and how many tokens it computes at once.

In the modes Embedding and Rerank llama-server answers 500 to an input that is longer than ubatch,
since pooling needs all of it at once: there ubatch follows the context of a slot. With pooling type
`last` it computes an input in parts, as far as the model has a KV cache.

Source: src/llama-context.cpp and tools/server/server-context.cpp of ggml-org/llama.cpp, and tried
on build 11669.
"""

from __future__ import annotations

import dataclasses
import itertools

from roadstead.api.llama_aliases import canonical
from roadstead.api.raw import Raw, positive

CONTEXT_SIZE = 4096
PARALLEL = 1
BATCH_SIZE = 2048
UBATCH_SIZE = 512
"""llama-server's own defaults of batchSize and ubatchSize."""
CHECKPOINTS = 32
"""llama-server's own default of how many states of a conversation it keeps in each slot."""
CHECKPOINTS_FLAG = "--ctx-checkpoints"
MAX_BATCH_SIZE = 65_536
"""As the schema of a ModelServe bounds them."""
CHAT = "Chat"
RERANK = "Rerank"
UNKNOWN = ""
"""The pooling type where neither the spec nor the header of the model names one."""

_CELLS_STEP = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slots:
    """`cells` is the context of one stream: of one slot, or of all where they share it.

    `follows` says whether ubatch has to hold the whole input. `needed` is then the ubatch that
    holds the longest one.
    """

    parallel: int
    streams: int
    cells: int
    batch: int
    ubatch: int
    needed: int
    follows: bool


def slots_of(params: Raw, gguf: Raw) -> Slots:
    """For `spec.runtimeParams` and a Model's `status.gguf`, which may be empty. Never raises."""
    parallel = positive(params, "parallel") or PARALLEL
    streams = 1 if _is_unified(params) else parallel
    context = positive(params, "contextSize") or CONTEXT_SIZE
    cells = padded(-(-context // streams))
    follows = _follows(params, gguf)
    needed = _needed(cells, cells * streams, parallel)
    batch, ubatch = _batches(params, needed, parallel) if follows else _given(params)
    return Slots(
        parallel=parallel,
        streams=streams,
        cells=cells,
        batch=batch,
        ubatch=ubatch,
        needed=needed,
        follows=follows,
    )


def pooling_type(params: Raw, gguf: Raw) -> str:
    """What llama-server pools by: of `--pooling`, else of the mode, else of the model's header."""
    if given := given_pooling(params):
        return given
    return "rank" if params.get("mode") == RERANK else model_pooling(gguf)


def given_pooling(params: Raw) -> str:
    """The last `--pooling` in `extraArgs`; UNKNOWN without one."""
    return last_value(params, "--pooling") or UNKNOWN


def model_pooling(gguf: Raw) -> str:
    """The model's own, `unspecified` where its header names none."""
    return str(gguf.get("poolingType") or UNKNOWN)


def last_value(params: Raw, flag: str) -> str | None:
    """The last value of a flag in `extraArgs`, which is the one that llama-server takes."""
    items = flags(params)
    values = [value for name, value in itertools.pairwise(items) if name == flag]
    return values[-1] if values else None


def checkpoints_of(params: Raw) -> int:
    """How many checkpoints a slot may have: by its field, or the last flag in `extraArgs`."""
    given = params.get("contextCheckpoints")
    if type(given) is int and given >= 0:
        return given
    value = last_value(params, CHECKPOINTS_FLAG) or ""
    return int(value) if value.isdecimal() and len(value) <= 12 else CHECKPOINTS


def flags(params: Raw) -> tuple[str, ...]:
    """`extraArgs`, each flag, by the name it is known by, and each value by itself."""
    given = params.get("extraArgs")
    items = map(str, given) if isinstance(given, list | tuple) else ()
    return tuple(canonical(part) for item in items for part in item.split("=", 1))


def padded(cells: int) -> int:
    """A number of cells as llama.cpp rounds it up."""
    return -(-cells // _CELLS_STEP) * _CELLS_STEP


def _is_unified(params: Raw) -> bool:
    """Whether all slots share one context: the last of the two flags decides."""
    both = [flag for flag in flags(params) if flag in ("--kv-unified", "--no-kv-unified")]
    return both[-1:] == ["--kv-unified"]


def _follows(params: Raw, gguf: Raw) -> bool:
    if params.get("mode", CHAT) in (CHAT, None):
        return False
    # Models of the bert kinds have no KV cache, and so nothing to keep the first part in.
    splits = pooling_type(params, gguf) == "last" and "bert" not in str(gguf.get("architecture"))
    return not splits


def _needed(cells: int, context: int, parallel: int) -> int:
    """The context of a slot, as a multiple of the slots, without which pooling by mean aborts.

    More than the whole context is cut off by llama.cpp, to what may be no multiple.
    """
    most = min(context, MAX_BATCH_SIZE)
    wanted = -(-cells // parallel) * parallel
    return wanted if wanted <= most else _multiple(most, parallel)


def _batches(params: Raw, needed: int, parallel: int) -> tuple[int, int]:
    batch, ubatch = positive(params, "batchSize"), positive(params, "ubatchSize")
    wanted = ubatch or needed
    ubatch = _multiple(min(wanted, batch or wanted), parallel)
    return batch or ubatch, ubatch


def _given(params: Raw) -> tuple[int, int]:
    batch = positive(params, "batchSize") or BATCH_SIZE
    return batch, min(batch, positive(params, "ubatchSize") or UBATCH_SIZE)


def _multiple(count: int, parallel: int) -> int:
    return max(parallel, count - count % parallel)
