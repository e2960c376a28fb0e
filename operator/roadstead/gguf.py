"""The header of a gguf file: a bounded, pure parser for input that may be hostile.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3,
little endian: magic, version, counts, metadata (typed key/value pairs), tensor infos, padding,
tensor data. `parse_header` reads it from a prefix of the file and never looks at tensor data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
MAX_HEADER_BYTES: Final = 128 * 2**20
"""Real headers take a few MiB (the vocabulary); one that is longer than this is refused."""
MAX_KEYS: Final = 2**16
MAX_TENSORS: Final = 2**18
MAX_KEY_BYTES: Final = 65_535
MAX_ARRAY_ITEMS: Final = 2**22
MAX_ITEMS_TOTAL: Final = 2**23
"""Bounds the parser's time: array items, keys and tensors of one header together."""
MAX_DIMENSIONS: Final = 4
MAX_TEXT: Final = 256
"""Characters kept of a text that ends in a status field."""


class Truncated(Exception):
    """The prefix ends within the header; `needed` bytes would let the parser go on."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the header goes on after byte {needed - 1}")
        self.needed = needed


class InvalidGguf(ValueError):
    """The file is not a gguf file that could be served; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What the header says of a model; what it leaves out is None.

    `parameter_count` is the sum of the tensors' elements. Lengths are in tokens
    (`context_length`), layers (`block_count`) or elements (`embedding_length`, `key_length`,
    `value_length` per head). Where a model has a head count for each layer, it is the largest.
    `header_bytes` is where tensor data starts.
    """

    version: int
    architecture: str
    name: str | None = None
    quantization: str | None = None
    file_type: int | None = None
    parameter_count: int
    tensor_count: int
    context_length: int | None = None
    block_count: int | None = None
    embedding_length: int | None = None
    head_count: int | None = None
    head_count_kv: int | None = None
    key_length: int | None = None
    value_length: int | None = None
    sliding_window: int | None = None
    expert_count: int | None = None
    header_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """The header in camelCase, without what is None."""
        values = dataclasses.asdict(self)
        return {_camel(name): value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GgufHeader:
        """The inverse of `to_json`; unknown fields are left out, missing ones raise TypeError."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: values[_camel(name)] for name in names if _camel(name) in values})


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
