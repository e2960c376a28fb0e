"""Gguf files that are not a whole language model, recognized by their metadata.

Sources: `general.type` of gguf-py/gguf/constants.py, tools/imatrix and src/llama-adapter.cpp of
ggml-org/llama.cpp; the architectures of image and video models are those of ComfyUI-GGUF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roadstead.gguf import gguf_metadata
from roadstead.gguf.gguf_input import InvalidGguf
from roadstead.gguf.gguf_metadata import Value, largest, shown

_IMAGE_MODELS: Final = frozenset(
    {
        "aura", "cosmos", "flux", "hidream", "hyvid", "hyvideo", "ideogram", "ideogram4", "krea2",
        "ltxv", "lumina2", "pig", "qwen_image", "sd1", "sd3", "sdxl", "wan",
    }
)  # fmt: skip
_DRAFTS: Final = frozenset({"dflash", "eagle3", "gemma4-assistant"})
"""Heads that predict from the output of another model, and are useless without it."""
_PROJECTOR: Final = (
    "it is a multimodal projector (mmproj), which llama-server can't serve by itself: use the file "
    "of the language model"
)
_LORA: Final = (
    "it is a LoRA adapter, which llama-server can't serve by itself: merge it into its base model "
    "with llama-export-lora, and use the result"
)
_IMATRIX: Final = (
    "it is an importance matrix (imatrix), an input of llama-quantize: use the file of the model"
)
_CONTROL_VECTOR: Final = "it is a control vector, an add-on to a model: use the file of the model"


def refuse_parts(metadata: Mapping[str, Value]) -> None:
    """Raise InvalidGguf for a part of a split model; only the first part has an architecture.

    A model that was split and merged again still has `split.count`, with 0.
    """
    count = largest(metadata.get(gguf_metadata.SPLIT_COUNT)) or 0
    if count > 1:
        before = largest(metadata.get(gguf_metadata.SPLIT_NO))
        part = "one part" if before is None or before >= count else f"part {before + 1} of {count}"
        raise InvalidGguf(
            f"it is {part} of a split model: merge all parts with `llama-gguf-split --merge` and "
            "use the result"
        )


def refuse_other_kinds(metadata: Mapping[str, Value]) -> None:
    """Raise InvalidGguf if it is not a language model; unknown architectures are accepted."""
    kind = _kind(metadata)
    if kind:
        raise InvalidGguf(kind)


def _kind(metadata: Mapping[str, Value]) -> str:
    given = metadata.get(gguf_metadata.TYPE)
    architecture = metadata.get(gguf_metadata.ARCHITECTURE)
    if given == "adapter" or gguf_metadata.ADAPTER_TYPE in metadata:
        return _adapter(metadata.get(gguf_metadata.ADAPTER_TYPE))
    if given == "imatrix":
        return _IMATRIX
    if given == "mmproj" or architecture == "clip":
        return _PROJECTOR
    return _by_architecture(architecture)


def _adapter(kind: Value) -> str:
    if kind in ("lora", None):
        return _LORA
    named = f" of the type {shown(kind)}" if isinstance(kind, str) else ""
    return f"it is an adapter{named}, an add-on to a model: use the file of the model"


def _by_architecture(architecture: Value) -> str:
    if architecture == "controlvector":
        return _CONTROL_VECTOR
    if architecture in _IMAGE_MODELS:
        return (
            f"it is an image or video model (general.architecture {architecture}), which "
            "llama-server can't serve: use a language model"
        )
    if architecture in _DRAFTS:
        return (
            f"it is a draft model for speculative decoding (general.architecture {architecture}), "
            "which llama-server can't serve by itself: use the file of the model that it drafts for"
        )
    return ""
