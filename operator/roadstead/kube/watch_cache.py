"""The watch cache: the objects in their last known state."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Metadata, Raw, section
from roadstead.api.server_ids import holder, server_id_of
from roadstead.kube.field_projection import Projection, slim
from roadstead.kube.managed_fields import is_managed
from roadstead.kube.parsed_objects import Parsed, ParsedObjects, parse
from roadstead.kube.resources import MODELS, MODELSERVES, Resource
from roadstead.kube.sharing import Sharing

Name = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is empty."""

Index = Callable[[Any], Collection[str]]
"""The keys under which an object is found by `WatchCache.indexed`; the object is parsed if it is of
one of our kinds, else raw."""

GONE_KEPT: Final = 10_000
"""How many deleted objects are remembered."""


def server_of(raw: Raw) -> tuple[str, ...]:
    """The index of children and pods: the UUID of their server, from the label."""
    uuid = section(raw, "metadata", "labels").get(LABEL_SERVER_UUID)
    return (uuid,) if uuid else ()


class WatchCache:
    """Objects by kind and name, by UID, and by one index per kind.

    Without an index in `indexes`, our kinds have none, and others have `server_of`.

    The cache may be behind the API server, never ahead: an older version of an object does not
    replace a newer one from any source (watch, list, or the response to a write), and a late
    response to a write does not restore a deleted object.

    Each object is reduced by `keep` for its kind, or else stored without managedFields. Objects
    share their common parts, so they are read-only. Those of our kinds are parsed when they enter.
    """

    def __init__(
        self,
        indexes: Mapping[Resource, Index] | None = None,
        keep: Mapping[Resource, Projection] | None = None,
    ) -> None:
        self._indexes = dict(indexes or {})
        self._keep = dict(keep or {})
        self._objects: dict[Resource, dict[Name, Raw]] = defaultdict(dict)
        self._parsed = ParsedObjects()
        self._indexed: dict[tuple[Resource, str], set[Name]] = defaultdict(set)
        self._names: dict[str, Name] = {}
        self._managed: set[str] = set()
        self._gone: OrderedDict[str, int] = OrderedDict()
        self._listed: dict[Resource, int] = {}
        self._seen: dict[Resource, int] = {}
        self._on_drop: list[Callable[[], None]] = []
        self.dropped: set[Resource] = set()
        """Kinds that were dropped and have not been listed again."""
        self._sharing = Sharing()

    def __len__(self) -> int:
        """The number of objects."""
        return len(self._names)

    def listed(self, resource: Resource) -> int:
        """The version of the last list of a kind; 0 before the first."""
        return self._listed.get(resource, 0)

    def note_list(self, resource: Resource, version: int) -> None:
        """Record that a whole list of this version was put in."""
        self._listed[resource] = version
        self.dropped.discard(resource)
        self.note_version(resource, version)

    def seen(self, resource: Resource) -> int:
        """The highest version read of a kind: from an object, a list or a bookmark."""
        return self._seen.get(resource, 0)

    def note_version(self, resource: Resource, version: int) -> None:
        """Record that a version of a kind was read."""
        self._seen[resource] = max(self.seen(resource), version)

    def on_drop(self, call: Callable[[], None]) -> None:
        """Register a callback for each drop of the whole cache."""
        self._on_drop.append(call)

    def drop(self) -> None:
        """Forget everything, including deleted objects, after a restore of etcd."""
        for resource, objects in self._objects.items():
            for name in list(objects):
                self._drop(resource, name)
        self._gone.clear()
        self.dropped.update(self._listed)
        self._listed.clear()
        self._seen.clear()
        for call in self._on_drop:
            call()

    def get(self, resource: Resource, name: str, namespace: str = "") -> Raw | None:
        """One object in its last known state."""
        return self._objects[resource].get((namespace, name))

    def model(self, name: str) -> Model | None:
        """The Model of this name."""
        return self._parsed.models.get(("", name))

    def model_by_uuid(self, uuid: str) -> Model | None:
        """The Model whose UID this is; None if it is that of an object of another kind."""
        place = self._names.get(uuid)
        found = self._parsed.models.get(place) if place else None
        return found if found is not None and found.meta.uid == uuid else None

    def serve(self, name: Name) -> ModelServe | None:
        """The ModelServe of this name."""
        return self._parsed.serves.get(name)

    def serve_by_id(self, server_id: str) -> ModelServe | None:
        """The ModelServe that a server ID belongs to."""
        claimants = (each for each in self.claimants(server_id) if each.server_id == server_id)
        return holder(claimants, server_id)

    def claimants(self, server_id: str) -> Iterator[ModelServe]:
        """The ModelServes whose server ID or UID this is."""
        return self._parsed.claimants(server_id)

    def serves(self) -> list[ModelServe]:
        """All ModelServes."""
        return list(self._parsed.serves.values())

    def contract(self, name: str) -> ResourceContract | None:
        """The ResourceContract of this name."""
        return self._parsed.contracts.get(("", name))

    def contracts(self) -> list[ResourceContract]:
        """All ResourceContracts."""
        return list(self._parsed.contracts.values())

    def parsed(self, resource: Resource) -> list[Parsed]:
        """All objects of one of our kinds."""
        return self._parsed.all(resource)

    def parse(self, resource: Resource, raw: Raw) -> Parsed:
        """The current state of an object of one of our kinds, else the last state, `raw`."""
        found = self._parsed.get(resource, _name(raw))
        return (
            found if found is not None and found.meta.uid == uid_of(raw) else parse(resource, raw)
        )

    def indexed_models(self, key: str) -> Iterator[Model]:
        """The Models under `key` in their index."""
        for name in sorted(self._indexed.get((MODELS, key), ())):
            yield self._parsed.models[name]

    def indexed_serves(self, key: str) -> Iterator[ModelServe]:
        """The ModelServes under `key` in their index."""
        for name in sorted(self._indexed.get((MODELSERVES, key), ())):
            yield self._parsed.serves[name]

    def current(self, resource: Resource, raw: Raw) -> Raw | None:
        """The object with the same UID; None if it was deleted or another one has its name."""
        found = self._objects[resource].get(_name(raw))
        return found if found is not None and uid_of(found) == uid_of(raw) else None

    def is_managed(self, raw: Raw) -> bool:
        """Whether our field manager has set a field of the object with this UID."""
        return uid_of(raw) in self._managed

    def name_of(self, uid: str) -> Name | None:
        """The name of the object with this `metadata.uid`."""
        return self._names.get(uid)

    def all(self, resource: Resource) -> list[Raw]:
        """All objects of a kind."""
        return list(self._objects[resource].values())

    def names(self, resource: Resource) -> list[Name]:
        """The names of all objects of a kind."""
        return list(self._objects[resource])

    def is_gone(self, uid: str) -> bool:
        """Whether the object with this UID was deleted, within the last `GONE_KEPT` deletions."""
        return uid in self._gone and uid not in self._names

    def deleted_at(self, uid: str) -> int:
        """The version at which the object with this UID was deleted; -1 if it wasn't."""
        return self._gone.get(uid, -1)

    def gone_at(self, resource: Resource, uid: str) -> int:
        """The highest version at which an object that is not in the cache did not exist.

        A server may be given by its server ID.

        It is that of the kind's last list, or of the object's deletion after that.
        """
        return max(self.listed(resource), self._gone.get(uid, 0))

    def indexed(self, resource: Resource, key: str) -> Iterator[Raw]:
        """The objects of a kind under `key` in its index."""
        for name in sorted(self._indexed.get((resource, key), ())):
            yield self._objects[resource][name]

    def knows(self, resource: Resource, raw: Raw) -> bool:
        """Whether the cache has this version or a newer one, or the object was deleted since."""
        uid, new = uid_of(raw), version(raw)
        before = self._objects[resource].get(_name(raw))
        if before is not None:
            known = version(before)
            if known > new or (known == new and uid_of(before) == uid):
                return True
        return bool(uid) and new <= self.deleted_at(uid)

    def put(self, resource: Resource, raw: Raw) -> bool:
        """Put an object in; returns False if it is known."""
        self.note_version(resource, version(raw))
        if self.knows(resource, raw):
            return False
        name = _name(raw)
        self._drop(resource, name)
        kept = self._sharing.of(self._keep.get(resource, slim)(raw))
        self._objects[resource][name] = kept
        self._parsed.put(resource, name, kept)
        self._names[uid_of(raw)] = name
        if is_managed(raw):
            self._managed.add(uid_of(raw))
        for key in self._keys(resource, name):
            self._indexed[resource, key].add(name)
        return True

    def take(self, resource: Resource, raw: Raw) -> list[Raw]:
        """Put an object in; returns the objects that changed, as they are kept.

        An earlier object of the same name is first: neither a list nor a later watch reports its
        deletion.
        """
        before = self._objects[resource].get(_name(raw))
        if not self.put(resource, raw):
            return []
        kept = self._objects[resource][_name(raw)]
        return [kept] if before is None or uid_of(before) == uid_of(raw) else [before, kept]

    def deleted(self, resource: Resource, raw: Raw) -> None:
        """Remove an object whose last version is `raw`, unless a newer one has its name."""
        self.note_version(resource, version(raw))
        self._remember_all_gone(resource, raw, version(raw))
        before = self._objects[resource].get(_name(raw))
        if before is not None and version(before) <= version(raw):
            self._drop(resource, _name(raw))

    def remove(self, resource: Resource, name: Name, *, at: int = 0) -> Raw | None:
        """Remove an object that does not exist at version `at`; returns its last state."""
        before = self._drop(resource, name)
        if before is not None:
            self._remember_all_gone(resource, before, max(at, version(before)))
        return before

    def _remember_all_gone(self, resource: Resource, raw: Raw, at: int) -> None:
        """Remember a deletion under the UID, and under the server ID, the key in the ledger."""
        self._remember_gone(uid_of(raw), at)
        if resource == MODELSERVES:
            self._remember_gone(server_id_of(Metadata.parse(raw)), at)

    def _remember_gone(self, uid: str, at: int) -> None:
        """Remember a deletion; an object that left a label selector may return in a new version."""
        self._gone[uid] = at
        self._gone.move_to_end(uid)
        while len(self._gone) > GONE_KEPT:
            self._gone.popitem(last=False)

    def _drop(self, resource: Resource, name: Name) -> Raw | None:
        before = self._objects[resource].get(name)
        if before is None:
            return None
        for key in self._keys(resource, name):
            names = self._indexed[resource, key]
            names.discard(name)
            if not names:
                del self._indexed[resource, key]
        del self._objects[resource][name]
        self._parsed.drop(resource, name)
        self._names.pop(uid_of(before), None)
        self._managed.discard(uid_of(before))
        return before

    def vanished(self, resource: Resource, listed: Collection[Name], before: int) -> list[Name]:
        """The names that a list at version `before` lacks and that are not newer than it."""
        return [
            name
            for name, raw in self._objects[resource].items()
            if name not in listed and version(raw) <= before
        ]

    def _keys(self, resource: Resource, name: Name) -> Collection[str]:
        index, parsed = self._indexes.get(resource), self._parsed.get(resource, name)
        if parsed is not None:
            return index(parsed) if index else ()
        return (index or server_of)(self._objects[resource][name])


def version(raw: Raw) -> int:
    """The resourceVersion as a number, or 0; comparable within one kind (KEP-5504)."""
    text = section(raw, "metadata").get("resourceVersion", "")
    return int(text) if text.isdigit() else 0


def _name(raw: Raw) -> Name:
    meta = section(raw, "metadata")
    return meta.get("namespace", ""), meta["name"]


def uid_of(raw: Raw) -> str:
    """An object's `metadata.uid`; empty if it has none."""
    return str(section(raw, "metadata").get("uid", ""))
