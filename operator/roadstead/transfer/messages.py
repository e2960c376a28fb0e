"""Messages between the operator and `roadstead transfer`: a job, and events as JSON lines.

The job is one JSON object on standard input, each event one line on standard output; logs are
written to standard error. Neither contains credentials: the store's keys and the key for the
Quant service are in files that the settings name. Only a plain presigned URL is in the job.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from roadstead.api.model import StoreLocation
from roadstead.errors import InvalidMessage, Retry
from roadstead.gguf.gguf_header import GgufHeader


class Phase(enum.StrEnum):
    """The phase of a transfer."""

    TRANSFERRING = "transferring"
    VERIFYING = "verifying"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantInput:
    """A model that the Quant service at `endpoint` (`http[s]://host[:port]`) knows."""

    endpoint: str
    model_id: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class UrlInput:
    """A presigned URL; it grants access, so it isn't in the repr."""

    url: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredInput:
    """An object that is in the store already and is only verified."""


Source = QuantInput | UrlInput | StoredInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """An upload of an earlier run, from its `Started` event."""

    upload_id: str
    key: str
    part_size_bytes: int
    source_etag: str
    size_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferJob:
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
        values: dict[str, Any] = {
            "modelUid": self.model_uid,
            "modelName": self.model_name,
            "source": _source_to_json(self.source),
            "target": dataclasses.asdict(self.target),
        }
        if self.expected_sha256 is not None:
            values["expectedSha256"] = self.expected_sha256
        if self.kept_sha256 is not None:
            values["keptSha256"] = self.kept_sha256
        if self.resume is not None:
            values["resume"] = _plain_to_json(self.resume)
        return values

    @classmethod
    def parse(cls, raw: str | bytes) -> TransferJob:
        """Parse a job; raises InvalidMessage."""
        values = _parse_object(raw)
        resume = values.get("resume")
        target = _mapping(values, "target")
        return cls(
            model_uid=_text(values, "modelUid"),
            model_name=_text(values, "modelName"),
            source=_parse_source(_mapping(values, "source")),
            target=StoreLocation(
                endpoint=_text(target, "endpoint"),
                bucket=_text(target, "bucket"),
                path=_text(target, "path"),
            ),
            expected_sha256=_text(values, "expectedSha256") if "expectedSha256" in values else None,
            kept_sha256=_text(values, "keptSha256") if "keptSha256" in values else None,
            resume=None if resume is None else _parse_plain(Resume, _mapping(values, "resume")),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Started:
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress; sent at most four times a second.

    `remaining_seconds` is None until the rate is known.
    """

    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    remaining_seconds: int | None = None
    phase: Phase = Phase.TRANSFERRING


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completed:
    """The object is complete at the target and verified: the last event."""

    size_bytes: int
    sha256: str
    etag: str
    gguf: GgufHeader
    quantization: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failed:
    """The transfer failed: the last event, with the fields of a ModelError."""

    reason: str
    message: str
    retry: Retry = Retry.BACKOFF


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stopped:
    """The transfer stopped on request (SIGTERM) and keeps its upload: the last event."""


Event = Started | Progress | Completed | Failed | Stopped

_ENUMS: Final[Mapping[str, type[enum.StrEnum]]] = {"phase": Phase, "retry": Retry}


def event_line(event: Event) -> str:
    """Return the event as one line of JSON, without the line feed."""
    return json.dumps({"event": type(event).__name__.lower(), **_plain_to_json(event)})


def parse_event(raw: str | bytes) -> Event:
    """Parse an event; raises InvalidMessage."""
    values = _parse_object(raw)
    match _text(values, "event"):
        case "started":
            return _parse_plain(Started, values)
        case "progress":
            return _parse_plain(Progress, values)
        case "completed":
            return _parse_plain(Completed, values)
        case "failed":
            return _parse_plain(Failed, values)
        case "stopped":
            return Stopped()
        case other:
            raise InvalidMessage(f"event: unknown event {other!r}")


def _source_to_json(source: Source) -> dict[str, Any]:
    match source:
        case QuantInput():
            return {"kind": "quant", "endpoint": source.endpoint, "modelId": source.model_id}
        case UrlInput():
            return {"kind": "url", "url": source.url}
        case StoredInput():
            return {"kind": "stored"}


def _parse_source(values: Mapping[str, Any]) -> Source:
    match values.get("kind"):
        case "quant":
            return QuantInput(endpoint=_text(values, "endpoint"), model_id=_text(values, "modelId"))
        case "url":
            return UrlInput(url=_text(values, "url"))
        case "stored":
            return StoredInput()
    raise InvalidMessage("source.kind: expected quant, url or stored")


def _plain_to_json(value: Resume | Event) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item is not None:
            wire[_camel(field.name)] = item.to_json() if isinstance(item, GgufHeader) else item
    return wire


_T = TypeVar("_T", Resume, Started, Progress, Completed, Failed, Stopped)


def _parse_plain(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """Create a flat dataclass from its camelCase form."""
    fields = {
        field.name: _parse_field(field, values)
        for field in dataclasses.fields(kind)
        if values.get(_camel(field.name)) is not None or field.default is dataclasses.MISSING
    }
    return kind(**fields)


def _parse_field(field: dataclasses.Field[Any], values: Mapping[str, Any]) -> Any:
    name = _camel(field.name)
    if field.name == "gguf":
        return _parse_header(_mapping(values, name))
    if field.type in ("int", "int | None"):
        return _integer(values, name)
    text = _text(values, name)
    kind = _ENUMS.get(field.name)
    if kind is None:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise InvalidMessage(
            f"{name}: invalid value {text!r}, expected one of {', '.join(kind)}"
        ) from error


def _parse_header(values: Mapping[str, Any]) -> GgufHeader:
    try:
        return GgufHeader.from_json(values)
    except TypeError as error:
        raise InvalidMessage("gguf: a field is missing") from error


def _parse_object(raw: str | bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage("is not JSON") from error
    if not isinstance(values, dict):
        raise InvalidMessage("is not a JSON object")
    return values


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    if not isinstance(value, dict):
        raise InvalidMessage(f"{name}: is not an object")
    return value


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise InvalidMessage(f"{name}: is not a string")
    return value


def _integer(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidMessage(f"{name}: is not an integer")
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
