"""Where the bytes go, and which of those in the store are of use. Pure.

A key that is free is written to directly. A key that holds something is never written to before
the new object is verified: that one is built at a key beside it and copied over by the store.
What a kill leaves at that key is copied over by the next run if it is the model, else removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from roadstead.api.location import StoreLocation
from roadstead.source.ranges import SourceObject
from roadstead.source.spans import Span
from roadstead.store.multipart import Part
from roadstead.store.stored_objects import StoredObject
from roadstead.transfer.messages import Resume


def staging(target: StoreLocation, model_uid: str) -> StoreLocation:
    """The key beside `target` that a replacement is built at."""
    return dataclasses.replace(target, path=f"{target.path}.roadstead-{model_uid}")


def leftovers(
    target: StoreLocation, model_uid: str, upload_key: str | None
) -> tuple[StoreLocation, ...]:
    """Where a run that was killed may have left a replacement that is of no more use.

    `upload_key` is what its upload went to: the target may have been another one then.
    """
    places = [staging(target, model_uid)]
    if upload_key is not None and upload_key.endswith(f".roadstead-{model_uid}"):
        places.append(dataclasses.replace(target, path=upload_key))
    return tuple(dict.fromkeys(places))


def destination(
    target: StoreLocation, model_uid: str, existing: StoredObject | None
) -> StoreLocation:
    """Where an upload goes."""
    return target if existing is None else staging(target, model_uid)


def may_be_it(
    existing: StoredObject | None, *, sha256: str | None, found: SourceObject | None
) -> bool:
    """Whether what stands at the target is worth reading: it may be the very model.

    Metadata alone is never believed, as it is written when an upload begins.
    """
    if existing is None:
        return False
    if found is not None and existing.size != found.size:
        return False
    if sha256 is not None:
        return existing.sha256 in (None, sha256)
    return found is not None and found.etag != "" and existing.source_etag == found.etag


def fits(resume: Resume, where: StoreLocation, found: SourceObject) -> bool:
    """Whether the upload of an earlier run can go on, now that uploads go to `where`."""
    return (
        resume.key == where.path
        and resume.source_etag == found.etag
        and resume.size_bytes == found.size
        and resume.part_size_bytes > 0
    )


def kept(parts: Mapping[int, Part], spans: Sequence[Span]) -> dict[int, Part]:
    """The parts in the store that are as large as they should be."""
    return {
        span.number: parts[span.number]
        for span in spans
        if span.number in parts and parts[span.number].size == span.size
    }
