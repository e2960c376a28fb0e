"""Whether the bytes are the model that was promised: sha256 and the gguf header, in one pass."""

from __future__ import annotations

import dataclasses
import hashlib

from roadstead.errors import ContentError
from roadstead.gguf import GgufHeader, InvalidGguf, Truncated, parse_header

FIRST_LOOK_BYTES = 8 * 2**20
"""Most headers are shorter; looking earlier would read the vocabulary twice."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verified:
    """What an object turned out to be."""

    sha256: str
    header: GgufHeader


class Verifier:
    """Follows an object of `size` bytes from its first to its last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._digest = hashlib.sha256()
        self._seen = 0
        self._prefix = bytearray()
        self._look_at = min(size, FIRST_LOOK_BYTES)
        self._header: GgufHeader | None = None

    def follow(self, view: memoryview) -> None:
        """Take the next bytes; raises ContentError as soon as the header is known to be bad."""
        self._digest.update(view)
        self._seen += len(view)
        if self._header is None:
            self._prefix += view
            if len(self._prefix) >= self._look_at:
                self._look()

    def finish(self, expected_sha256: str | None) -> Verified:
        """The result once all bytes were seen; raises ContentError."""
        if self._header is None or self._seen != self._size:
            message = f"{self._seen} of {self._size} bytes arrived"
            raise ContentError("SizeMismatch", message)
        sha256 = self._digest.hexdigest()
        if expected_sha256 is not None and sha256 != expected_sha256:
            raise ContentError(
                "DigestMismatch",
                f"the model's sha256 is {sha256}, but {expected_sha256} was promised; "
                "correct spec.sha256 or the source",
            )
        return Verified(sha256=sha256, header=self._header)

    def _look(self) -> None:
        try:
            self._header = parse_header(self._prefix, self._size)
        except Truncated as more:
            self._look_at = min(self._size, max(more.needed, 2 * len(self._prefix)))
            return
        except InvalidGguf as error:
            message = f"the model is not a gguf file that can be served: {error}"
            raise ContentError("InvalidGguf", message) from None
        self._prefix = bytearray()
