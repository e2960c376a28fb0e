"""Decides where a transfer writes, and which objects and parts it can reuse. Pure.

A free key is written directly. A key with an object is not overwritten before the new object is
verified: that is uploaded to a staging key beside it and copied by the store. What a kill leaves
at the staging key is copied by the next run if it is the model, else removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from roadstead.api.model import StoreLocation
from roadstead.source.ranges import SourceObject
from roadstead.source.spans import Span
from roadstead.store.multipart import Part
from roadstead.store.stored_objects import StoredObject
from roadstead.transfer.messages import Resume


def staging_location(target: StoreLocation, model_uid: str) -> StoreLocation:
    """Return the staging key beside `target` for a replacement."""
    return dataclasses.replace(target, path=f"{target.path}.roadstead-{model_uid}")


def leftovers(
    target: StoreLocation, model_uid: str, upload_key: str | None
) -> tuple[StoreLocation, ...]:
    """Return the locations where a killed run may have left a replacement.

    `upload_key` is the key of its upload: the target may have been another one at that time.
    """
    places = [staging_location(target, model_uid)]
    if upload_key is not None and upload_key.endswith(f".roadstead-{model_uid}"):
        places.append(dataclasses.replace(target, path=upload_key))
    return tuple(dict.fromkeys(places))


def choose_destination(
    target: StoreLocation, model_uid: str, existing: StoredObject | None
) -> StoreLocation:
    """Return the location that is uploaded to."""
    return target if existing is None else staging_location(target, model_uid)


def may_match(
    existing: StoredObject | None, *, sha256: str | None, found: SourceObject | None
) -> bool:
    """Whether the existing object may be the model, so that it is worth reading.

    Metadata alone proves nothing, since it is written when an upload is created.
    """
    if existing is None:
        return False
    if found is not None and existing.size != found.size:
        return False
    if sha256 is not None:
        return existing.sha256 in (None, sha256)
    return found is not None and found.etag != "" and existing.source_etag == found.etag


def can_resume(resume: Resume, where: StoreLocation, found: SourceObject) -> bool:
    """Whether the upload of an earlier run can be resumed with `where` as destination."""
    return (
        resume.key == where.path
        and resume.source_etag == found.etag
        and resume.size_bytes == found.size
        and resume.part_size_bytes > 0
    )


def reusable_parts(parts: Mapping[int, Part], spans: Sequence[Span]) -> dict[int, Part]:
    """Return the parts in the store that have the expected size."""
    return {
        span.number: parts[span.number]
        for span in spans
        if span.number in parts and parts[span.number].size == span.size
    }
