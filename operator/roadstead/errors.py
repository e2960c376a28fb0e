"""Every error that Roadstead raises on purpose.

RoadsteadError
├── InvalidSettings            the environment or the command line can't be used
├── InvalidResource            an object that the schema let through still makes no sense
├── InvalidMessage             a line between the operator and a transfer is not of the protocol
├── InvalidToken               a token does not hold
│   └── InvalidKey             a key that tokens could be signed or verified with can't be used
├── InvalidReceipt             a receipt does not hold for the object that carries it
├── SignOutRefused             the list of sessions that have ended takes no more
├── KubeError                  the API server's answer, or its absence
│   ├── KubeNotFound           404
│   ├── KubeConflict           409, or a precondition that no longer holds
│   ├── KubeGone               410, or 504 for a version that is ahead: list anew
│   ├── KubeRejected           400, 403, 422: the same request will be refused again
│   │   └── NameTaken          another object has the name that a child needs
│   └── KubeUnavailable        no answer, 429, 5xx: the same request may pass later
├── ClusterRestored            the API server's state is older than what was read from it before
├── LeaseLost                  this process may write no more: another may lead by now
├── LedgerError                Postgres refused what was asked of it
│   ├── LedgerUnavailable      no answer, or not now: the same may pass later
│   └── RowRefused             it is the row: it will never be taken
├── UsageError                 what servers use could not be asked
└── ModelError                 a model can't be brought, kept or read; says whether to try again
    ├── SourceError            the side that the model comes from
    │   ├── ModelUnknown       the Quant service does not know the model
    │   ├── SourceDenied       the presigned URL was refused: another one may open the object
    │   │   └── SourceExpired  its time is over
    │   ├── SourceChanged      not the object that the transfer began with
    │   └── SourceInterrupted  no answer, or one that ended early: may pass in a moment
    ├── StoreError             the on-premises store
    │   ├── StoreInterrupted   no answer, busy, or failing: may pass in a moment
    │   │   ├── StoreBroken    500: the store failed at this request
    │   │   └── PartsRefused   a part is not as the store has it, as it is, or just now
    │   ├── RightMissing       AccessDenied: the keys hold, their policy does not allow this
    │   │   └── ObjectHidden   nor whether the object is there
    │   ├── ChecksumRequired   parts are taken with a checksum only
    │   ├── StoreNotImplemented  501: the store does not know this kind of request
    │   ├── PartsDamaged       what an earlier run sent did not arrive
    │   ├── UploadMissing      the store has forgotten the upload
    │   └── Displaced          another run of the same transfer has taken over
    ├── VolumeError            the volume that a model is fetched to
    └── ContentError           the bytes themselves: digest, size, gguf header

Errors of libraries are turned into these at the I/O seams, so that a message never carries more
than we put in it: a URL's query or a token stays out of conditions, events and logs.
"""

from __future__ import annotations

import enum


class RoadsteadError(Exception):
    """The root of the tree."""


class InvalidSettings(RoadsteadError):
    """The settings can't be used; the message lists what was found, and what to write."""


class InvalidResource(RoadsteadError):
    """An object makes no sense as it is; `field` is its path, such as `spec.runtimeParams`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class InvalidMessage(RoadsteadError):
    """A job or an event is not of the protocol; the message names the field."""


class InvalidToken(RoadsteadError):
    """A token does not hold; the message says why and never quotes it.

    `reason` is a CamelCase word for metrics, events and answers, such as `TokenExpired`.
    """

    def __init__(self, message: str, *, reason: str = "TokenInvalid") -> None:
        super().__init__(message)
        self.reason = reason


class InvalidKey(InvalidToken):
    """A key is too short, of a wrong kind or can't be read; the message never quotes it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="KeyUnusable")


class InvalidReceipt(RoadsteadError):
    """A receipt is missing, forged or another object's; `reason` such as `ReceiptForged`."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SignOutRefused(RoadsteadError):
    """A session can't be added to those that have ended; the message says which bound is met."""


class KubeError(RoadsteadError):
    """The API server refused or did not answer; `status` is the HTTP status, 0 without one."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class KubeNotFound(KubeError):
    """404: the object, its kind or its namespace is not there."""


class KubeConflict(KubeError):
    """409: it exists already, or was changed since it was read."""


class KubeGone(KubeError):
    """410, or 504 for one that is ahead: the server has no such resourceVersion; list anew."""


class KubeRejected(KubeError):
    """400, 403, 422: the same request would be refused again."""


class NameTaken(KubeRejected):
    """An object that is not the ModelServe's has the name that one of its children needs."""


class KubeUnavailable(KubeError):
    """No answer, 429 or 5xx: the same request may pass later."""


class ClusterRestored(RoadsteadError):
    """The API server's state went back, as by a restore of etcd: what was read before is void."""


class LeaseLost(RoadsteadError):
    """The Lease is not held, or was not renewed in time: nothing may be written any more."""


class LedgerError(RoadsteadError):
    """Postgres refused; the same would be refused again. Never quotes values or the DSN.

    `reason` is a CamelCase word for metrics, such as `SchemaMissing`.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class LedgerUnavailable(LedgerError):
    """No connection, none any more, or no answer in time: the same may pass later."""


class RowRefused(LedgerError):
    """A value or a constraint stands against a row, whoever writes it and whenever."""


class UsageError(RoadsteadError):
    """A kubelet or a server did not say what is used; `reason` such as `Certificate`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Retry(enum.StrEnum):
    """When it makes sense to try again."""

    BACKOFF = "backoff"
    """By itself, after a while: something was down or busy."""
    ON_CHANGE = "on-change"
    """Only once the object, its Secret or its source has changed."""


class ModelError(RoadsteadError):
    """A model can't be brought, kept or read.

    `reason` is a CamelCase word for conditions and events, the message says what to do.
    """

    def __init__(self, reason: str, message: str, *, retry: Retry = Retry.BACKOFF) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


class SourceError(ModelError):
    """The Quant service or the presigned URL refused, changed or ended early."""


class ModelUnknown(SourceError):
    """404 from the Quant service: it has no model of this name."""


class SourceDenied(SourceError):
    """The presigned URL was refused: another one may open the object."""


class SourceExpired(SourceDenied):
    """The time of the presigned URL is over."""


class SourceChanged(SourceError):
    """The source's ETag or size is not that which the transfer began with."""


class SourceInterrupted(SourceError):
    """No answer, 429, 5xx or a body that ended early: the same request may pass in a moment."""


class StoreError(ModelError):
    """The store refused, is full or can't be reached."""


class StoreInterrupted(StoreError):
    """No answer, 429, 500 or 503: the same request may pass in a moment."""


class RightMissing(StoreError):
    """AccessDenied: the keys hold, but their policy does not allow this."""


class ObjectHidden(RightMissing):
    """The store does not say whether the object is there: who may not list gets 403 for both."""


class StoreBroken(StoreInterrupted):
    """500: the store failed at this request, perhaps at this one only."""


class PartsRefused(StoreInterrupted):
    """InvalidPart: a part is missing or another one, or the store is taking the upload away."""


class ChecksumRequired(StoreError):
    """Parts are taken with a checksum only, as buckets with Object Lock do."""


class StoreNotImplemented(StoreError):
    """501: the store does not know this kind of request, or a header of it."""


class PartsDamaged(StoreError):
    """Parts that were kept from an earlier run are not what was sent."""


class UploadMissing(StoreError):
    """NoSuchUpload: the multipart upload was aborted, completed or purged by the store."""


class Displaced(StoreError):
    """Another run of the same transfer has put an upload of its own in the place of this one's."""


class VolumeError(ModelError):
    """The volume that a model is fetched to is full or can't be written."""


class ContentError(ModelError):
    """The bytes are not what was promised: digest, size or gguf header."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message, retry=Retry.ON_CHANGE)
