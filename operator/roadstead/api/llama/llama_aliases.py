"""The aliases of llama-server's flags: one name of each is the canonical one."""

from __future__ import annotations

from typing import Final

_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    # With a field of their own.
    "--ctx-size": ("-c",),
    "--parallel": ("-np",),
    "--cache-ram": ("-cram",),
    "--threads": ("-t",),
    "--threads-batch": ("-tb",),
    "--batch-size": ("-b",),
    "--ubatch-size": ("-ub",),
    "--n-gpu-layers": ("-ngl", "--gpu-layers"),
    "--cache-type-k": ("-ctk",),
    "--cache-type-v": ("-ctv",),
    "--flash-attn": ("-fa",),
    "--load-mode": ("-lm", "--mlock", "--mmap", "--no-mmap"),
    "--n-predict": ("-n", "--predict"),
    "--seed": ("-s",),
    "--embedding": ("--embeddings",),
    "--rerank": ("--reranking",),
    "--model": ("-m",),
    "--alias": ("-a",),
    # Allowed.
    "--sampler-seq": ("--sampling-seq",),
    "--temp": ("--temperature",),
    "--top-nsigma": ("--top-n-sigma",),
    "--typical": ("--typical-p",),
    "--logit-bias": ("-l",),
    "--reverse-prompt": ("-r",),
    "--escape": ("-e",),
    "--backend-sampling": ("-bs",),
    "--ctx-checkpoints": ("-ctxcp", "--swa-checkpoints"),
    "--checkpoint-min-step": ("-cms",),
    "--kv-unified": ("-kvu",),
    "--no-kv-unified": ("-no-kvu",),
    "--slot-prompt-similarity": ("-sps",),
    "--cont-batching": ("-cb",),
    "--no-cont-batching": ("-nocb",),
    "--kv-offload": ("-kvo",),
    "--no-kv-offload": ("-nkvo",),
    "--no-repack": ("-nr",),
    "--lazy-mode": ("-lzm",),
    "--cpu-mask": ("-C",),
    "--cpu-mask-batch": ("-Cb",),
    "--cpu-range": ("-Cr",),
    "--cpu-range-batch": ("-Crb",),
    "--device": ("-dev",),
    "--override-tensor": ("-ot",),
    "--cpu-moe": ("-cmoe",),
    "--n-cpu-moe": ("-ncmoe",),
    "--n-cpu-ffn": ("-ncffn",),
    "--split-mode": ("-sm",),
    "--tensor-split": ("-ts",),
    "--main-gpu": ("-mg",),
    "--fit": ("-fit",),
    "--fit-target": ("-fitt",),
    "--fit-ctx": ("-fitc",),
    "--no-mmproj": ("--no-mmproj-auto",),
    "--timeout": ("-to",),
    "--special": ("-sp",),
    "--reasoning": ("-rea",),
    "--spec-draft-p-min": ("--draft-p-min",),
    "--spec-draft-p-split": ("--draft-p-split",),
    "--spec-draft-type-k": ("-ctkd", "--cache-type-k-draft"),
    "--spec-draft-type-v": ("-ctvd", "--cache-type-v-draft"),
    "--verbosity": ("-lv", "--log-verbosity"),
}
_CANONICAL: Final = {alias: flag for flag, aliases in _ALIASES.items() for alias in aliases}


def canonical(flag: str) -> str:
    """The canonical name of a flag; a flag without aliases is canonical."""
    return _CANONICAL.get(flag, flag)


def spellings(flag: str) -> tuple[str, ...]:
    """All names of a flag, the canonical one first."""
    return (flag, *_ALIASES.get(flag, ()))
