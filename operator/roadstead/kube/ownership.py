"""Whose an object is: a name that others have taken is left to them."""

from __future__ import annotations

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict, KubeRejected


def belongs(observed: Raw, server_uuid: str) -> bool:
    """Whether an object is a child of this server, perhaps with its owner or label taken away."""
    label = section(observed, "metadata", "labels").get(LABEL_SERVER_UUID)
    return label == server_uuid or server_uuid in owners(observed)


def owners(raw: Raw) -> dict[str, str]:
    """The names of an object's owners by their UID."""
    references = raw["metadata"].get("ownerReferences") or ()
    return {reference["uid"]: reference["name"] for reference in references}


def intact(manifest: Raw, observed: Raw) -> bool:
    """Whether it has the labels and the owner still that it was written with, and perhaps more."""
    wanted, found = (section(each, "metadata", "labels") for each in (manifest, observed))
    return wanted.items() <= found.items() and owners(manifest).items() <= owners(observed).items()


def taken(manifest: Raw, observed: Raw) -> KubeConflict | KubeRejected:
    """The error for a name that is in use.

    What an earlier ModelServe of the same name left goes soon, so that is worth another try.
    """
    meta = observed["metadata"]
    where = f"{manifest['kind']} {meta['namespace']}/{meta['name']}"
    ours = set(owners(manifest).values())
    if meta.get("deletionTimestamp") or set(owners(observed).values()) & ours:
        return KubeConflict(f"{where} is left from an earlier ModelServe and still has to go")
    message = "is there already and not this ModelServe's; delete it, or name the ModelServe anew"
    return KubeRejected(f"{where} {message}", status=409)
