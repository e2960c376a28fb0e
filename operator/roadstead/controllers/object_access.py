"""What controllers use of the API client: each names the least that it needs.

`KubeClient` implements all of them, and so does the API in memory of the tests.
"""

from __future__ import annotations

from typing import Protocol

from roadstead.api.raw import Raw
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import Resource


class ObjectReader(Protocol):
    """Reads objects."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""
        ...


class ObjectApplier(ObjectReader, Protocol):
    """Reads and applies objects."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Apply an object (server-side apply)."""
        ...


class ObjectWriter(ObjectApplier, Protocol):
    """Reads, creates and applies objects."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object; raises KubeConflict if it exists."""
        ...


class ObjectRemover(ObjectReader, Protocol):
    """Reads and deletes objects."""

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = ""
    ) -> None:
        """Delete an object; a missing one is not an error."""
