"""What the watches have told: the objects as they were last seen."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.raw import Raw, section
from roadstead.kube.field_projection import Projection, slim
from roadstead.kube.managed_fields import is_managed
from roadstead.kube.resources import Resource
from roadstead.kube.sharing import Sharing

Name = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is empty."""

Index = Callable[[Raw], Collection[str]]
"""The keys under which an object is found by `WatchCache.indexed`."""


GONE_KEPT: Final = 10_000
"""How many objects that are gone are remembered."""


def server_of(raw: Raw) -> tuple[str, ...]:
    """The index of children and pods: the UUID of their server, from its label."""
    uuid = section(raw, "metadata", "labels").get(LABEL_SERVER_UUID)
    return (uuid,) if uuid else ()


class WatchCache:
    """Objects by kind and name, by UID, and by one index per kind (`server_of` without another).

    It may lag behind the API server, never run ahead of it: an older version of an object does
    not replace a newer one, whichever way it came (watch, list, or the answer to a write), and
    the late answer to a write does not bring back an object that is gone.

    Of each object it keeps what `keep` says for its kind, all but managedFields without that.
    Objects share what they have in common, which is most of it: they are to be read only.
    """

    def __init__(
        self,
        indexes: Mapping[Resource, Index] | None = None,
        keep: Mapping[Resource, Projection] | None = None,
    ) -> None:
        self._indexes = dict(indexes or {})
        self._keep = dict(keep or {})
        self._objects: dict[Resource, dict[Name, Raw]] = defaultdict(dict)
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
        """How many objects there are."""
        return len(self._names)

    def listed(self, resource: Resource) -> int:
        """The version of the last list of a kind: what it did not have is not in here either.

        0 before the first.
        """
        return self._listed.get(resource, 0)

    def note_list(self, resource: Resource, version: int) -> None:
        """A list of this version has been taken in whole."""
        self._listed[resource] = version
        self.dropped.discard(resource)
        self.note_version(resource, version)

    def seen(self, resource: Resource) -> int:
        """The highest version of a kind that was read: of an object, a list or a bookmark."""
        return self._seen.get(resource, 0)

    def note_version(self, resource: Resource, version: int) -> None:
        """A version of a kind was read."""
        self._seen[resource] = max(self.seen(resource), version)

    def on_drop(self, call: Callable[[], None]) -> None:
        """Have this called each time that everything is dropped."""
        self._on_drop.append(call)

    def drop(self) -> None:
        """Forget everything, the deleted objects too: the cluster's state went back."""
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
        """One object as last seen."""
        return self._objects[resource].get((namespace, name))

    def current(self, resource: Resource, raw: Raw) -> Raw | None:
        """This very object as last seen; None if it is gone, or another one has its name now."""
        found = self._objects[resource].get(_name(raw))
        return found if found is not None and uid_of(found) == uid_of(raw) else None

    def is_managed(self, raw: Raw) -> bool:
        """Whether our field manager has set a field of this very object, as last seen."""
        return uid_of(raw) in self._managed

    def name_of(self, uid: str) -> Name | None:
        """The name of the object with this `metadata.uid`."""
        return self._names.get(uid)

    def all(self, resource: Resource) -> list[Raw]:
        """Every object of a kind."""
        return list(self._objects[resource].values())

    def names(self, resource: Resource) -> list[Name]:
        """The name of every object of a kind."""
        return list(self._objects[resource])

    def is_gone(self, uid: str) -> bool:
        """Whether the object with this UID was seen to be deleted, some thousand deletes ago."""
        return uid in self._gone and uid not in self._names

    def deleted_at(self, uid: str) -> int:
        """The version at which the object with this UID was seen to be deleted; -1 for none."""
        return self._gone.get(uid, -1)

    def gone_at(self, resource: Resource, uid: str) -> int:
        """Up to which version it is known that an object that is not in here was not there.

        That of the kind's last list, or a later one where the object was seen to go since.
        """
        return max(self.listed(resource), self._gone.get(uid, 0))

    def indexed(self, resource: Resource, key: str) -> Iterator[Raw]:
        """The objects of a kind that its index has under `key`."""
        for name in sorted(self._indexed.get((resource, key), ())):
            yield self._objects[resource][name]

    def knows(self, resource: Resource, raw: Raw) -> bool:
        """Whether what is there is as new as this, or it is gone since."""
        uid, new = uid_of(raw), version(raw)
        before = self._objects[resource].get(_name(raw))
        if before is not None:
            known = version(before)
            if known > new or (known == new and uid_of(before) == uid):
                return True
        return bool(uid) and new <= self.deleted_at(uid)

    def put(self, resource: Resource, raw: Raw) -> bool:
        """Take an object in; False if it is known."""
        self.note_version(resource, version(raw))
        if self.knows(resource, raw):
            return False
        name = _name(raw)
        self._drop(resource, name)
        kept = self._sharing.of(self._keep.get(resource, slim)(raw))
        self._objects[resource][name] = kept
        self._names[uid_of(raw)] = name
        if is_managed(raw):
            self._managed.add(uid_of(raw))
        for key in self._keys(resource, kept):
            self._indexed[resource, key].add(name)
        return True

    def take(self, resource: Resource, raw: Raw) -> list[Raw]:
        """`put`, and what it changed: the object itself, as it is kept.

        Before it another one whose name it has now, which went without a word: a list, and a watch
        that begins later, tell nothing of it.
        """
        before = self._objects[resource].get(_name(raw))
        if not self.put(resource, raw):
            return []
        kept = self._objects[resource][_name(raw)]
        return [kept] if before is None or uid_of(before) == uid_of(raw) else [before, kept]

    def deleted(self, resource: Resource, raw: Raw) -> None:
        """Forget an object whose last version is `raw`; a newer one of its name stays."""
        self.note_version(resource, version(raw))
        self._remember_gone(uid_of(raw), version(raw))
        before = self._objects[resource].get(_name(raw))
        if before is not None and version(before) <= version(raw):
            self._drop(resource, _name(raw))

    def remove(self, resource: Resource, name: Name, *, at: int = 0) -> Raw | None:
        """Forget an object that is not there at version `at`; as last seen, if it was known."""
        before = self._drop(resource, name)
        if before is not None:
            self._remember_gone(uid_of(before), max(at, version(before)))
        return before

    def _remember_gone(self, uid: str, at: int) -> None:
        """One that left a watch's label selector may come back, but only as a newer version."""
        self._gone[uid] = at
        self._gone.move_to_end(uid)
        while len(self._gone) > GONE_KEPT:
            self._gone.popitem(last=False)

    def _drop(self, resource: Resource, name: Name) -> Raw | None:
        before = self._objects[resource].pop(name, None)
        if before is None:
            return None
        self._names.pop(uid_of(before), None)
        self._managed.discard(uid_of(before))
        for key in self._keys(resource, before):
            names = self._indexed[resource, key]
            names.discard(name)
            if not names:
                del self._indexed[resource, key]
        return before

    def vanished(self, resource: Resource, listed: Collection[Name], before: int) -> list[Name]:
        """Names that a list at version `before` did not have and that are not newer than it."""
        return [
            name
            for name, raw in self._objects[resource].items()
            if name not in listed and version(raw) <= before
        ]

    def _keys(self, resource: Resource, raw: Raw) -> Collection[str]:
        return self._indexes.get(resource, server_of)(raw)


def version(raw: Raw) -> int:
    """The resourceVersion as a number, 0 where it is none.

    They may be compared within one resource (KEP-5504, comparable resource version).
    """
    text = section(raw, "metadata").get("resourceVersion", "")
    return int(text) if text.isdigit() else 0


def _name(raw: Raw) -> Name:
    meta = section(raw, "metadata")
    return meta.get("namespace", ""), meta["name"]


def uid_of(raw: Raw) -> str:
    """An object's `metadata.uid`; empty where it has none."""
    return str(section(raw, "metadata").get("uid", ""))
