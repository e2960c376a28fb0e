"""Messages between the operator and `roadstead transfer`: a job, and events as JSON lines.

The job is one JSON object on standard input, each event one line on standard output; logs are
written to standard error. Neither contains credentials: the store's keys and the key for the
Quant service are in files that the settings name. Only a plain presigned URL is in the job.
Unknown fields are ignored: during an update the other side may be a later version.
"""

from __future__ import annotations

import enum
import json
from typing import Any, TypeVar

import msgspec

from roadstead.api.model import StoreLocation
from roadstead.errors import InvalidMessage, Retry
from roadstead.gguf.gguf_header import GgufHeader

_T = TypeVar("_T")


class Phase(enum.StrEnum):
    """The phase of a transfer."""

    TRANSFERRING = "transferring"
    VERIFYING = "verifying"


class _Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Subclasses inherit the form of their fields; `kw_only` is that of each class."""


class QuantInput(_Message, frozen=True, kw_only=True, tag_field="kind", tag="quant"):
    """A model that the Quant service at `endpoint` (`http[s]://host[:port]`) knows."""

    endpoint: str
    model_id: str


class UrlInput(_Message, frozen=True, kw_only=True, tag_field="kind", tag="url"):
    """A presigned URL; it grants access, so it isn't in the repr."""

    url: str

    def __repr__(self) -> str:
        return "UrlInput()"


class StoredInput(_Message, frozen=True, kw_only=True, tag_field="kind", tag="stored"):
    """An object that is in the store already and is only verified."""


Source = QuantInput | UrlInput | StoredInput


class Resume(_Message, frozen=True, kw_only=True):
    """An upload of an earlier run, from its `Started` event."""

    upload_id: str
    key: str
    part_size_bytes: int
    source_etag: str
    size_bytes: int


class TransferJob(_Message, frozen=True, kw_only=True):
    """One transfer; digests are 64 lowercase hex digits.

    `kept_sha256` is that of the object that a Model of the same spec had before a restore: an
    object with it is used, and nothing else is required to have it.
    """

    model_uid: str
    model_name: str
    source: Source
    target: StoreLocation
    expected_sha256: str | None = None
    resume: Resume | None = None
    kept_sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the job in the form that is read from standard input."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    @classmethod
    def parse(cls, raw: str | bytes) -> TransferJob:
        """Parse a job; raises InvalidMessage."""
        return _parse(_JOBS, raw)


class _Event(_Message, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """The tag is the name of the class in lower case."""


class Started(_Event, frozen=True, kw_only=True):
    """An upload was created: persist it, to resume after a kill.

    `resumed_bytes` of `bytes_total` are in the store already. Sent again if another upload had to
    be created; not sent if no bytes are copied (a stored object).
    """

    upload_id: str
    key: str
    part_size_bytes: int
    source_etag: str
    bytes_total: int
    resumed_bytes: int

    @property
    def resume(self) -> Resume:
        """The fields that the next run needs to resume it."""
        return Resume(
            upload_id=self.upload_id,
            key=self.key,
            part_size_bytes=self.part_size_bytes,
            source_etag=self.source_etag,
            size_bytes=self.bytes_total,
        )


class Progress(_Event, frozen=True, kw_only=True):
    """The progress; sent at most four times a second.

    `remaining_seconds` is None until the rate is known.
    """

    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    remaining_seconds: int | None = None
    phase: Phase = Phase.TRANSFERRING


class Completed(_Event, frozen=True, kw_only=True):
    """The object is complete at the target and verified: the last event."""

    size_bytes: int
    sha256: str
    etag: str
    gguf: GgufHeader
    quantization: str | None = None


class Failed(_Event, frozen=True, kw_only=True):
    """The transfer failed: the last event, with the fields of a ModelError."""

    reason: str
    message: str
    retry: Retry = Retry.BACKOFF


class Stopped(_Event, frozen=True, kw_only=True):
    """The transfer stopped on request (SIGTERM) and keeps its upload: the last event."""


Event = Started | Progress | Completed | Failed | Stopped

_JOBS: msgspec.json.Decoder[TransferJob] = msgspec.json.Decoder(TransferJob)
_EVENTS: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def event_line(event: Event) -> str:
    """Return the event as one line of JSON in ASCII, without the line feed."""
    return json.dumps(msgspec.to_builtins(event))


def parse_event(raw: str | bytes) -> Event:
    """Parse an event; raises InvalidMessage."""
    return _parse(_EVENTS, raw)


def _parse(decoder: msgspec.json.Decoder[_T], raw: str | bytes) -> _T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidMessage(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidMessage("is not JSON") from error
