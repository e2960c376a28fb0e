"""Storage for kopf that stores nothing on objects.

kopf deep-copies each object several times to compute a diff for change handlers. There are none
here, and the copies took a fifth of the CPU time of a burst of ModelServes.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Nothing of an object is copied, compared or stored."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """An empty essence."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Return None: nothing is stored."""

    def store(self, **_: Any) -> None:
        """Do nothing."""


class NoProgress(kopf.ProgressStorage):
    """No handler is retried by kopf: the work queue retries."""

    def fetch(self, **_: Any) -> None:
        """Return None: nothing is stored."""

    def store(self, **_: Any) -> None:
        """Do nothing."""

    def purge(self, **_: Any) -> None:
        """Do nothing."""

    def touch(self, **_: Any) -> None:
        """Do nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the essence unchanged: nothing is stored in it."""
        return essence
