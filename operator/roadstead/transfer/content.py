"""Whether the bytes are the model that was promised: sha256 and the gguf header, in one pass."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from roadstead.errors import ContentError, PartsDamaged
from roadstead.gguf import GgufHeader, HeaderParser, InvalidGguf

_MD5: Final = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verified:
    """What an object turned out to be."""

    sha256: str
    header: GgufHeader


class ContentVerifier:
    """Follows an object of `size` bytes from its first to its last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._digest = hashlib.sha256()
        self._seen = 0
        self._parser: HeaderParser | None = HeaderParser(size)
        self._header: GgufHeader | None = None

    def follow(self, view: memoryview) -> None:
        """Take the next bytes; raises ContentError as soon as the header is known to be bad."""
        self._digest.update(view)
        self._seen += len(view)
        if self._parser is not None:
            self._read_header(self._parser, view)

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

    def _read_header(self, parser: HeaderParser, view: memoryview) -> None:
        try:
            self._header = parser.feed(view)
        except InvalidGguf as error:
            self._parser = None
            message = f"the model is not a gguf file that can be served: {error}"
            raise ContentError("InvalidGguf", message) from None
        if self._header is not None:
            self._parser = None


class PartsVerifier:
    """A Verifier that also compares the bytes with the MD5s that the store has of them.

    Some servers keep a part as whole whose connection broke (the rest is zeros), so parts that
    were listed prove nothing, nor does an object that was made of them. Where no sha256 is
    promised, this notices: the ETag of a part is its MD5, that of the object (`etag`) the MD5 of
    those. Where a store encrypts they are not, and the transfer begins anew for nothing.

    A fault in the header is raised after the part that contains it was compared: another attempt
    can repair a damaged part, but not a bad model.
    """

    def __init__(
        self, size: int, part_size: int, *, etags: Mapping[int, str], etag: str = ""
    ) -> None:
        self._verifier = ContentVerifier(size)
        self._part_size = part_size
        self._etags = etags
        self._etag = etag
        self._size = size
        self._seen = 0
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts = hashlib.md5(usedforsecurity=False)
        self._fault: ContentError | None = None

    def follow(self, view: memoryview) -> None:
        """Take the next bytes; raises ContentError, PartsDamaged."""
        left = view
        while left:
            number, at = divmod(self._seen, self._part_size)
            piece = left[: self._part_size - at]
            self._part.update(piece)
            self._seen += len(piece)
            left = left[len(piece) :]
            if self._compares():
                self._next(number + 1)
                self._raise_fault()
        try:
            self._verifier.follow(view)
        except ContentError as error:
            self._fault = self._fault or error
        if self._compares():
            self._raise_fault()

    def finish(self, expected_sha256: str | None) -> Verified:
        """As Verifier's; raises PartsDamaged."""
        count = -(-self._size // self._part_size)
        digest, _, parts = self._etag.partition("-")
        if _MD5.fullmatch(digest) and parts == str(count):
            _compare(self._etag, f"{self._parts.hexdigest()}-{count}", "the object")
        return self._verifier.finish(expected_sha256)

    def _compares(self) -> bool:
        """Whether a part ends here."""
        return self._seen % self._part_size == 0 or self._seen == self._size

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _next(self, number: int) -> None:
        etag = self._etags.get(number, "")
        if _MD5.fullmatch(etag):
            _compare(etag, self._part.hexdigest(), f"part {number}")
        self._parts.update(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)


def _compare(etag: str, found: str, what: str) -> None:
    if etag != found:
        message = f"{what}, from an earlier run, is not what was sent"
        raise PartsDamaged("StorePartsDamaged", message)
