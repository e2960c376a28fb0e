"""The owner of an object: neither a name nor a label makes it a child of a ModelServe."""

from __future__ import annotations

import enum

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_SERVER_UUID
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict, NameTaken
from roadstead.kube.managed_fields import is_managed


class Ownership(enum.Enum):
    """The relation of an object to a ModelServe whose child has this kind and name."""

    OURS = "ours"
    """It has the owner reference, and our field manager wrote it."""
    DAMAGED = "damaged"
    """One of the two is missing: it is deleted and created again, never adopted."""
    OTHERS = "others"
    """It has another owner and is not changed."""


def ownership(observed: Raw, server_uuid: str, *, managed: bool, server_id: str = "") -> Ownership:
    """The ownership; `managed` is whether our field manager has an entry, which the cache drops.

    `server_uuid` is the UID of the ModelServe, `server_id` its server ID, if that is another one.
    The label alone does not count, since every user who can create the object can set it.
    """
    owned = server_uuid in owners(observed)
    if owned and managed:
        return Ownership.OURS
    labelled = _label(observed) == (server_id or server_uuid)
    return Ownership.DAMAGED if owned or (managed and labelled) else Ownership.OTHERS


def belongs(observed: Raw, server_uuid: str) -> bool:
    """Whether an object, as the API server returned it, is a child of this server."""
    return ownership(observed, server_uuid, managed=is_managed(observed)) is Ownership.OURS


def owners(raw: Raw) -> dict[str, str]:
    """The names of an object's owners by their UID."""
    references = raw["metadata"].get("ownerReferences") or ()
    return {reference["uid"]: reference["name"] for reference in references}


def is_orphan(raw: Raw, *, managed: bool) -> bool:
    """Whether it is a child that has lost its owner by a deletion with `--cascade=orphan`."""
    label = section(raw, "metadata", "labels").get(LABEL_MANAGED_BY)
    return managed and label == FIELD_MANAGER and bool(_label(raw)) and not owners(raw)


def intact(manifest: Raw, observed: Raw) -> bool:
    """Whether it still has the labels and the owner of its manifest; it may have more."""
    wanted, found = (section(each, "metadata", "labels") for each in (manifest, observed))
    return wanted.items() <= found.items() and owners(manifest).items() <= owners(observed).items()


def name_taken_error(manifest: Raw, live: Raw) -> KubeConflict | NameTaken:
    """The error for a name in use by `live`, an object as the API server returned it.

    Children of an earlier ModelServe of the same name are deleted soon: the error is retried.
    """
    meta = live["metadata"]
    where = f"{manifest['kind']} {meta['namespace']}/{meta['name']}"
    if meta.get("deletionTimestamp") or _is_leftover(manifest, live):
        return KubeConflict(f"{where} of an earlier ModelServe still exists and is being deleted")
    advice = "is not owned by this ModelServe; delete it, or rename the ModelServe"
    return NameTaken(f"{where} already exists and {advice}", status=409)


def _is_leftover(manifest: Raw, live: Raw) -> bool:
    """Whether another ModelServe of the same name owns it, or owned it."""
    ours = owners(manifest)
    others = {name for uid, name in owners(live).items() if uid not in ours}
    if others & set(ours.values()):
        return True
    return _label(live) != _label(manifest) and is_orphan(live, managed=is_managed(live))


def _label(raw: Raw) -> str:
    return str(section(raw, "metadata", "labels").get(LABEL_SERVER_UUID, ""))
