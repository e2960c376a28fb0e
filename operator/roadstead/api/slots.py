"""How a server divides its context among slots, and how many tokens it computes at once.

In the modes Embedding and Rerank llama-server answers 500 to an input that is longer than ubatch,
since pooling needs all of it at once: so ubatch follows the context of a slot. With pooling type
`last` it computes an input in parts, if the model has a KV cache.

Source: src/llama-context.cpp and tools/server/server-context.cpp of ggml-org/llama.cpp; tested on
build 11669.
"""

from __future__ import annotations

import dataclasses
import itertools

from roadstead.api.llama.llama_aliases import canonical
from roadstead.api.raw import Raw, positive

CONTEXT_SIZE = 4096
PARALLEL = 1
BATCH_SIZE = 2048
UBATCH_SIZE = 512
"""llama-server's own defaults of batchSize and ubatchSize."""
CHECKPOINTS = 32
"""llama-server's default number of saved states of a conversation in each slot."""
CHECKPOINTS_FLAG = "--ctx-checkpoints"
MAX_BATCH_SIZE = 65_536
"""The bound in the schema of a ModelServe."""
CHAT = "Chat"
RERANK = "Rerank"
UNKNOWN = ""
"""The pooling type if neither the spec nor the header of the model has one."""

_CELLS_STEP = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slots:
    """`cells` is the context of one stream: of one slot, or of all slots that share it.

    `follows`: ubatch must be as large as the whole input. `needed` is then the ubatch that the
    longest input needs.
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
    """llama-server's pooling type: that of `--pooling`, else the mode's, else the header's."""
    if given := given_pooling(params):
        return given
    return "rank" if params.get("mode") == RERANK else model_pooling(gguf)


def given_pooling(params: Raw) -> str:
    """The last `--pooling` in `extraArgs`; UNKNOWN without one."""
    return last_value(params, "--pooling") or UNKNOWN


def model_pooling(gguf: Raw) -> str:
    """The pooling type in the model's header, `unspecified` if the header has none."""
    return str(gguf.get("poolingType") or UNKNOWN)


def last_value(params: Raw, flag: str) -> str | None:
    """The last value of a flag in `extraArgs`, which is the one that llama-server uses."""
    items = flags(params)
    values = [value for name, value in itertools.pairwise(items) if name == flag]
    return values[-1] if values else None


def checkpoints_of(params: Raw) -> int:
    """The most checkpoints of a slot: from the field, else from the last flag in `extraArgs`."""
    given = params.get("contextCheckpoints")
    if type(given) is int and given >= 0:
        return given
    value = last_value(params, CHECKPOINTS_FLAG) or ""
    return int(value) if value.isdecimal() and len(value) <= 12 else CHECKPOINTS


def flags(params: Raw) -> tuple[str, ...]:
    """`extraArgs` with canonical names; flags and values are separate items."""
    given = params.get("extraArgs")
    items = map(str, given) if isinstance(given, list | tuple) else ()
    return tuple(canonical(part) for item in items for part in item.split("=", 1))


def padded(cells: int) -> int:
    """A number of cells, rounded up as llama.cpp does."""
    return -(-cells // _CELLS_STEP) * _CELLS_STEP


def _is_unified(params: Raw) -> bool:
    """Whether all slots share one context: the last of the two flags decides."""
    both = [flag for flag in flags(params) if flag in ("--kv-unified", "--no-kv-unified")]
    return both[-1:] == ["--kv-unified"]


def _follows(params: Raw, gguf: Raw) -> bool:
    if params.get("mode", CHAT) in (CHAT, None):
        return False
    # Without a KV cache, as in BERT models, the first part of an input can't be kept.
    splits = pooling_type(params, gguf) == "last" and "bert" not in str(gguf.get("architecture"))
    return not splits


def _needed(cells: int, context: int, parallel: int) -> int:
    """The context of a slot, as a multiple of the slots: otherwise mean pooling aborts.

    llama.cpp reduces more than the whole context to it, which may not be a multiple.
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
