"""The annotation in which the operator records where it stored a Model's content.

Unlike `metadata.uid`, which the object's key is made of, and the status, it is kept in a backup: a
restored Model finds its object under the key of the earlier UID. It is not believed. The key must
be one that a Model of this name had, and the content is read and verified before it is used.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Final, Self

from roadstead.api.object_names import UUID
from roadstead.api.raw import Metadata, Raw
from roadstead.json_digest import json_digest

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE: Final = re.compile(rf"{UUID}\.gguf")
_MAX_LENGTH: Final = 1024


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class StoredContent:
    """A key in the Model's bucket, the verified sha256, and the digest of the spec at that time."""

    path: str
    sha256: str
    spec: str

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """From the annotation; None if it has another form."""
        if not isinstance(text, str) or len(text) > _MAX_LENGTH:
            return None
        try:
            values: Any = json.loads(text)
            found = cls(**values)
        except (ValueError, TypeError, RecursionError):
            return None
        digests = (found.sha256, found.spec)
        is_text = all(isinstance(each, str) for each in (found.path, *digests))
        return found if is_text and all(map(_SHA256.fullmatch, digests)) else None

    def to_text(self) -> str:
        """The annotation's value."""
        values = {"path": self.path, "sha256": self.sha256, "spec": self.spec}
        return json.dumps(values, separators=(",", ":"))

    def path_of(self, meta: Metadata) -> str:
        """Its key, if a Model of this name may have had it; else empty."""
        folder, _, file = self.path.rpartition("/")
        return self.path if folder == meta.name and _FILE.fullmatch(file) else ""

    def sha256_of(self, spec: Raw) -> str:
        """The verified sha256, if the spec is still the same; else empty."""
        return self.sha256 if self.spec == json_digest(spec) else ""
