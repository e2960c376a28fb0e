"""Storage for kopf that stores nothing on objects between two events.

It takes several deep copies of each object to find out what a handler of changes would be told of.
There is none here, and the copies were a fifth of what a burst of ModelServes costs.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Every object looks like the last one: nothing of it is copied, compared or stored."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing is essential."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


class NoProgress(kopf.ProgressStorage):
    """No handler is ever tried again: the work queue does that."""

    def fetch(self, **_: Any) -> None:
        """Nothing was begun."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""

    def purge(self, **_: Any) -> None:
        """There is nothing to remove."""

    def touch(self, **_: Any) -> None:
        """Nothing is to change."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing of this is in an object."""
        return essence
