"""Every error that Roadstead raises on purpose.

RoadsteadError
├── InvalidSettings            invalid environment or command line
├── InvalidResource            an object that passes the schema is still invalid
├── InvalidMessage             a line between the operator and a transfer violates the protocol
├── InvalidToken               a token is invalid
│   └── InvalidKey             a key for signing or verifying tokens is unusable
├── InvalidReceipt             a receipt is not valid for its object
├── SignOutRefused             the list of ended sessions is full
├── KubeError                  an error response of the API server, or no response
│   ├── KubeNotFound           404
│   ├── KubeConflict           409, or a failed precondition
│   ├── KubeGone               410, or 504 for a version in the future: list again
│   ├── KubeRejected           400, 403, 422: the same request will be refused again
│   │   └── NameTaken          another object has the name that a child needs
│   └── KubeUnavailable        no response, 429, 5xx: the same request may succeed later
├── ClusterRestored            the API server's state is older than it was before
├── LeaseLost                  this process must not write: another one may lead
├── LedgerError                Postgres refused a statement
│   ├── LedgerUnavailable      no response, or not now: the same may succeed later
│   └── RowRefused             the row is invalid: it will always be refused
├── GatewayError               the gateway does not answer a caller as it should
├── UsageError                 the usage of servers could not be read
└── ModelError                 a model can't be transferred, stored or read; has a retry policy
    ├── SourceError            the source of the model
    │   ├── ModelUnknown       the Quant service does not know the model
    │   ├── SourceDenied       the presigned URL was refused: another one may be accepted
    │   │   └── SourceExpired  the presigned URL has expired
    │   ├── SourceChanged      the object changed since the transfer started
    │   └── SourceInterrupted  no response, or an incomplete one: retry soon
    ├── StoreError             the on-premises store
    │   ├── StoreInterrupted   no response, busy, or failing: retry soon
    │   │   ├── StoreBroken    500: the store failed at this request
    │   │   └── PartsRefused   a part is missing, or differs from the store's
    │   ├── RightMissing       AccessDenied: the keys are valid, their policy denies the request
    │   │   └── ObjectHidden   the policy also hides whether the object exists
    │   ├── ChecksumRequired   parts are accepted only with a checksum
    │   ├── StoreNotImplemented  501: the store does not support the request
    │   ├── PartsDamaged       parts that an earlier run uploaded are damaged
    │   ├── UploadMissing      the upload no longer exists in the store
    │   └── Displaced          another run of the same transfer replaced the upload
    ├── VolumeError            the volume that a model is fetched to
    └── ContentError           the content: digest, size, gguf header

Errors of libraries are translated into these where I/O happens, so that conditions, events and logs
never contain a URL's query or a token.
"""

from __future__ import annotations

import enum


class RoadsteadError(Exception):
    """The root of the tree."""


class InvalidSettings(RoadsteadError):
    """The settings are invalid; the message lists all faults, and what to write."""


class InvalidResource(RoadsteadError):
    """An object is invalid; `field` is the path of the field, such as `spec.runtimeParams`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class InvalidMessage(RoadsteadError):
    """A job or an event violates the protocol; the message names the field."""


class InvalidToken(RoadsteadError):
    """A token is invalid; the message has the cause and never quotes the token.

    `reason` is in CamelCase, for metrics, events and responses, such as `TokenExpired`.
    """

    def __init__(self, message: str, *, reason: str = "TokenInvalid") -> None:
        super().__init__(message)
        self.reason = reason


class InvalidKey(InvalidToken):
    """A key is too short, of the wrong kind or unreadable; the message never quotes it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="KeyUnusable")


class InvalidReceipt(RoadsteadError):
    """A receipt is missing, forged or of another object; `reason` such as `ReceiptForged`."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SignOutRefused(RoadsteadError):
    """A session can't be added to the ended ones; the message names the limit."""


class KubeError(RoadsteadError):
    """The API server refused or did not respond; `status` is the HTTP status, or 0."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class KubeNotFound(KubeError):
    """404: the object, its kind or its namespace does not exist."""


class KubeConflict(KubeError):
    """409: the object exists already, or was changed since it was read."""


class KubeGone(KubeError):
    """410, or 504 for a future one: the server lacks this resourceVersion; list again."""


class KubeRejected(KubeError):
    """400, 403, 422: the same request would be refused again."""


class NameTaken(KubeRejected):
    """An object that the ModelServe does not own has the name of one of its children."""


class PullSecretUnusable(RoadsteadError):
    """A Secret that `servers.pullSecrets` copies does not exist, or is of another type."""


class KubeUnavailable(KubeError):
    """No response, 429, 5xx, or 403 because a definition is new: it may succeed later."""


class ClusterRestored(RoadsteadError):
    """The API server's state is older than before, as after a restore of etcd: caches are void."""


class LeaseLost(RoadsteadError):
    """The Lease is not held, or was not renewed in time: this process must not write."""


class LedgerError(RoadsteadError):
    """Postgres refused, and would refuse again. The message never quotes values or the DSN.

    `reason` is in CamelCase, for metrics, such as `SchemaMissing`.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class LedgerUnavailable(LedgerError):
    """No connection, a lost one, or no response in time: the same may succeed later."""


class RowRefused(LedgerError):
    """A value or a constraint makes a row invalid: it will always be refused."""


class GatewayError(RoadsteadError):
    """The gateway does not answer a caller as it should; the message has the status."""


class UsageError(RoadsteadError):
    """A kubelet or a server did not report usage; `reason` such as `Certificate`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Retry(enum.StrEnum):
    """When to retry."""

    BACKOFF = "backoff"
    """Automatically, with backoff: something was unavailable or busy."""
    ON_CHANGE = "on-change"
    """Only after the object, its Secret or its source changed."""


class ModelError(RoadsteadError):
    """A model can't be transferred, stored or read.

    `reason` is in CamelCase, for conditions and events; the message has the cause and the remedy.
    """

    def __init__(self, reason: str, message: str, *, retry: Retry = Retry.BACKOFF) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


class SourceError(ModelError):
    """The Quant service or the presigned URL refused, changed or was interrupted."""


class ModelUnknown(SourceError):
    """404 from the Quant service: it has no model of this name."""


class SourceDenied(SourceError):
    """The presigned URL was refused: another one may be accepted."""


class SourceExpired(SourceDenied):
    """The presigned URL has expired."""


class SourceChanged(SourceError):
    """The source's ETag or size changed since the transfer started."""


class SourceInterrupted(SourceError):
    """No response, 429, 5xx or an incomplete body: the same request may succeed soon."""


class StoreError(ModelError):
    """The store refused, is full or is unreachable."""


class StoreInterrupted(StoreError):
    """No response, 429, 500 or 503: the same request may succeed soon."""


class RightMissing(StoreError):
    """AccessDenied: the keys are valid, but their policy denies the request."""


class ObjectHidden(RightMissing):
    """The store hides whether the object exists: without the right to list, both are 403."""


class StoreBroken(StoreInterrupted):
    """500: the store failed at this request, maybe only at this one."""


class PartsRefused(StoreInterrupted):
    """InvalidPart: a part is missing or differs, or the store is removing the upload."""


class ChecksumRequired(StoreError):
    """Parts are accepted only with a checksum, as in buckets with Object Lock."""


class StoreNotImplemented(StoreError):
    """501: the store does not support the request, or one of its headers."""


class PartsDamaged(StoreError):
    """Parts that an earlier run uploaded are damaged."""


class UploadMissing(StoreError):
    """NoSuchUpload: the multipart upload was aborted, completed or purged by the store."""


class Displaced(StoreError):
    """Another run of the same transfer replaced this run's upload."""


class VolumeError(ModelError):
    """The volume that a model is fetched to is full or not writable."""


class ContentError(ModelError):
    """The content is not as promised: digest, size or gguf header."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message, retry=Retry.ON_CHANGE)
