"""Verifies that the bytes are the expected model: sha256 and the gguf header, in one pass."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from roadstead.errors import ContentError, PartsDamaged
from roadstead.gguf.gguf_header import GgufHeader, HeaderParser, InvalidGguf

_MD5: Final = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verified:
    """The digest and header of an object."""

    sha256: str
    header: GgufHeader


class ContentVerifier:
    """Verifies an object of `size` bytes that is read from first to last byte."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._digest = hashlib.sha256()
        self._seen = 0
        self._parser: HeaderParser | None = HeaderParser(size)
        self._header: GgufHeader | None = None

    def follow(self, view: memoryview) -> None:
        """Process the next bytes; raises ContentError as soon as the header is invalid."""
        self._digest.update(view)
        self._seen += len(view)
        if self._parser is not None:
            self._read_header(self._parser, view)

    def finish(self, expected_sha256: str | None) -> Verified:
        """Return the result after the last byte; raises ContentError."""
        if self._header is None or self._seen != self._size:
            message = f"received {self._seen} of {self._size} bytes"
            raise ContentError("SizeMismatch", message)
        sha256 = self._digest.hexdigest()
        if expected_sha256 is not None and sha256 != expected_sha256:
            raise ContentError(
                "DigestMismatch",
                f"the model's sha256 is {sha256}, expected {expected_sha256}; correct spec.sha256 "
                "or the source",
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
    """A verifier that also compares the bytes with the MD5s that the store reports.

    Some servers store a part as complete though its connection broke (the rest is zeros), so the
    list of parts doesn't prove that they are intact, nor does an object that consists of them.
    Without an expected sha256, this verifier detects the damage: the ETag of a part is its MD5,
    the ETag of the object (`etag`) the MD5 of those. In a store that encrypts they are not MD5s,
    and the transfer starts over unnecessarily.

    An invalid header is reported after the part that contains it was compared: another attempt
    can repair a damaged part, but not an invalid model.
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
        """Process the next bytes; raises ContentError or PartsDamaged."""
        left = view
        while left:
            number, at = divmod(self._seen, self._part_size)
            piece = left[: self._part_size - at]
            self._part.update(piece)
            self._seen += len(piece)
            left = left[len(piece) :]
            if self._is_part_complete():
                self._compare_part(number + 1)
                self._raise_fault()
        try:
            self._verifier.follow(view)
        except ContentError as error:
            self._fault = self._fault or error
        if self._is_part_complete():
            self._raise_fault()

    def finish(self, expected_sha256: str | None) -> Verified:
        """Return the result after the last byte; raises ContentError or PartsDamaged."""
        count = -(-self._size // self._part_size)
        digest, _, parts = self._etag.partition("-")
        if _MD5.fullmatch(digest) and parts == str(count):
            _compare_etag(self._etag, f"{self._parts.hexdigest()}-{count}", "the object")
        return self._verifier.finish(expected_sha256)

    def _is_part_complete(self) -> bool:
        """Whether the last byte of a part was processed."""
        return self._seen % self._part_size == 0 or self._seen == self._size

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _compare_part(self, number: int) -> None:
        etag = self._etags.get(number, "")
        if _MD5.fullmatch(etag):
            _compare_etag(etag, self._part.hexdigest(), f"part {number}")
        self._parts.update(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)


def _compare_etag(etag: str, found: str, what: str) -> None:
    if etag != found:
        message = f"{what}, from an earlier run, differs from what was sent"
        raise PartsDamaged("StorePartsDamaged", message)
