"""An API server in memory with injected faults that a real one cannot have."""

import copy
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from roadstead.api.group import FIELD_MANAGER
from roadstead.api.raw import Raw
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.resources import DEPLOYMENTS, NETWORKPOLICIES, Resource

_COUNTED = (DEPLOYMENTS, NETWORKPOLICIES)
"""Kinds with a `metadata.generation`."""

Key = tuple[Resource, str, str]


OURS: Final = [{"manager": FIELD_MANAGER, "operation": "Apply"}]
"""The managedFields of our own writes."""


class MemoryApi:
    """Stores objects and records each write; each fault in `faults` is raised once, in order."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.writes: list[tuple[str, str, str]] = []
        self.faults: dict[tuple[str, str], Exception] = {}
        self.rewrite: Callable[[Object], None] = lambda _: None
        """How the server normalizes objects."""
        self._numbers = itertools.count(1)

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        try:
            return copy.deepcopy(self.objects[resource, namespace, name])
        except KeyError:
            raise KubeNotFound(name, status=404) from None

    async def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """A page of the objects with a name: `fields` must be `metadata.name=NAME`."""
        found = self.objects.get((resource, namespace, fields.removeprefix("metadata.name=")))
        yield Page(items=[copy.deepcopy(found)] if found else [], version=1)

    async def create(self, resource: Resource, body: Raw) -> Object:
        key = self._write("create", resource, body)
        if key in self.objects:
            raise KubeConflict("already exists", status=409)
        counted = {"generation": 1} if resource in _COUNTED else {}
        return self._store(key, body, {"uid": f"uid-{next(self._numbers)}", **counted})

    async def apply(self, resource: Resource, body: Raw) -> Object:
        key = self._write("apply", resource, body)
        if key not in self.objects:
            counted = {"generation": 1} if resource in _COUNTED else {}
            return self._store(key, body, {"uid": f"uid-{next(self._numbers)}", **counted})
        before = self.objects[key]
        spec = merged(before.get("spec", {}), body.get("spec", {}))
        written = {**body, "spec": spec} if spec else body
        return self._store(key, written, self._next(key))

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        named = {**body["metadata"], "name": name, "namespace": namespace}
        key = self._write("patch", resource, {"kind": resource.kind, "metadata": named})
        before = self.objects[key]
        return self._store(key, merged(before, body), self._next(key))

    async def delete(
        self, resource: Resource, name: str, *, namespace: str = "", uid: str = ""
    ) -> None:
        body = {"kind": resource.kind, "metadata": {"name": name, "namespace": namespace}}
        self.objects.pop(self._write("delete", resource, body), None)

    def edit(self, resource: Resource, name: str, changes: dict[str, Any]) -> Object:
        """Change the fields of an object as another client."""
        key = (resource, "demo", name)
        before = self.objects[key]
        meta = {**before["metadata"], **changes.get("metadata", {})}
        counted = self._next(key) if changes.keys() - {"metadata", "status"} else {}
        return self._store(key, {**before, **changes, "metadata": meta}, counted)

    def _next(self, key: Key) -> dict[str, Any]:
        """The next version: the UID is kept, the generation is incremented."""
        before = self.objects[key]["metadata"]
        counted = {"generation": before["generation"] + 1} if key[0] in _COUNTED else {}
        return {"uid": before["uid"], **counted}

    def _write(self, verb: str, resource: Resource, body: Raw) -> Key:
        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        if fault := self.faults.pop((verb, resource.kind), None):
            raise fault
        self.writes.append((verb, resource.kind, name))
        return resource, namespace, name

    def _store(self, key: Key, body: Raw, kept: dict[str, Any]) -> Object:
        stored = copy.deepcopy(dict(body))
        stored["metadata"] |= {**kept, "resourceVersion": str(next(self._numbers))}
        stored["metadata"].setdefault("managedFields", OURS)
        self.rewrite(stored)
        self.objects[key] = stored
        return copy.deepcopy(stored)


def merged(before: Any, changes: Any) -> Any:
    """A merge patch (RFC 7386): None removes a field, and lists are replaced."""
    if not isinstance(before, dict) or not isinstance(changes, dict):
        return changes
    found = {**before, **{key: merged(before.get(key), each) for key, each in changes.items()}}
    return {key: value for key, value in found.items() if value is not None}
