"""What goes between the operator and `roadstead transfer`: one job in, JSON lines out.

The job is one JSON object on standard input, each event one line on standard output; logs go to
standard error. No credential is part of either: the store's keys and the key for the Quant
service are in files that the settings name. Only a plain presigned URL stands in the job, since
that is all there is to say about such a source.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from roadstead.api.location import StoreLocation
from roadstead.errors import InvalidMessage, Retry
from roadstead.gguf import GgufHeader


class Phase(enum.StrEnum):
    """What a transfer is doing."""

    TRANSFERRING = "transferring"
    VERIFYING = "verifying"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantInput:
    """A model that the Quant service at `endpoint` (`http[s]://host[:port]`) knows."""

    endpoint: str
    model_id: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class UrlInput:
    """A presigned URL; it opens the object, so it is no part of the repr."""

    url: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredInput:
    """The object stands in the store already and is only verified."""


Source = QuantInput | UrlInput | StoredInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """An upload that an earlier run began: what its `Started` event said."""

    upload_id: str
    key: str
    part_size_bytes: int
    source_etag: str
    size_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferJob:
    """One transfer; `expected_sha256` is 64 lower hex digits."""

    model_uid: str
    model_name: str
    source: Source
    target: StoreLocation
    expected_sha256: str | None = None
    resume: Resume | None = None

    def to_json(self) -> dict[str, Any]:
        """The job as it stands on standard input."""
        values: dict[str, Any] = {
            "modelUid": self.model_uid,
            "modelName": self.model_name,
            "source": _source_to_json(self.source),
            "target": dataclasses.asdict(self.target),
        }
        if self.expected_sha256 is not None:
            values["expectedSha256"] = self.expected_sha256
        if self.resume is not None:
            values["resume"] = _plain_to_json(self.resume)
        return values

    @classmethod
    def parse(cls, raw: str | bytes) -> TransferJob:
        """Read a job; raises InvalidMessage."""
        values = _object(raw)
        resume = values.get("resume")
        target = _mapping(values, "target")
        return cls(
            model_uid=_text(values, "modelUid"),
            model_name=_text(values, "modelName"),
            source=_source(_mapping(values, "source")),
            target=StoreLocation(
                endpoint=_text(target, "endpoint"),
                bucket=_text(target, "bucket"),
                path=_text(target, "path"),
            ),
            expected_sha256=_text(values, "expectedSha256") if "expectedSha256" in values else None,
            resume=None if resume is None else _plain(Resume, _mapping(values, "resume")),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Started:
    """An upload exists: persist this to be able to go on after a kill.

    `resumed_bytes` of `bytes_total` stand in the store already. Comes again if an upload had to
    be begun anew. Not sent where no bytes move (a stored object).
    """

    upload_id: str
    key: str
    part_size_bytes: int
    source_etag: str
    bytes_total: int
    resumed_bytes: int

    @property
    def resume(self) -> Resume:
        """What the next run is given to go on with it."""
        return Resume(
            upload_id=self.upload_id,
            key=self.key,
            part_size_bytes=self.part_size_bytes,
            source_etag=self.source_etag,
            size_bytes=self.bytes_total,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far it is; four times a second at most.

    `remaining_seconds` is None until the rate is known.
    """

    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    remaining_seconds: int | None = None
    phase: Phase = Phase.TRANSFERRING


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completed:
    """The object stands at the target, whole and verified: the last event."""

    size_bytes: int
    sha256: str
    etag: str
    gguf: GgufHeader
    quantization: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failed:
    """It did not work: the last event; the fields are those of a ModelError."""

    reason: str
    message: str
    retry: Retry = Retry.BACKOFF


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stopped:
    """It was asked to stop (SIGTERM) and did; the upload is kept. The last event."""


Event = Started | Progress | Completed | Failed | Stopped

_ENUMS: Final[Mapping[str, type[enum.StrEnum]]] = {"phase": Phase, "retry": Retry}


def event_line(event: Event) -> str:
    """The event as one line of JSON, without the line feed."""
    return json.dumps({"event": type(event).__name__.lower(), **_plain_to_json(event)})


def parse_event(raw: str | bytes) -> Event:
    """Read an event; raises InvalidMessage."""
    values = _object(raw)
    match _text(values, "event"):
        case "started":
            return _plain(Started, values)
        case "progress":
            return _plain(Progress, values)
        case "completed":
            return _plain(Completed, values)
        case "failed":
            return _plain(Failed, values)
        case "stopped":
            return Stopped()
        case other:
            raise InvalidMessage(f"event: {other!r} is not an event of a transfer")


def _source_to_json(source: Source) -> dict[str, Any]:
    match source:
        case QuantInput():
            return {"kind": "quant", "endpoint": source.endpoint, "modelId": source.model_id}
        case UrlInput():
            return {"kind": "url", "url": source.url}
        case StoredInput():
            return {"kind": "stored"}


def _source(values: Mapping[str, Any]) -> Source:
    match values.get("kind"):
        case "quant":
            return QuantInput(endpoint=_text(values, "endpoint"), model_id=_text(values, "modelId"))
        case "url":
            return UrlInput(url=_text(values, "url"))
        case "stored":
            return StoredInput()
    raise InvalidMessage("source.kind: is none of quant, url, stored")


def _plain_to_json(value: Resume | Event) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item is not None:
            wire[_camel(field.name)] = item.to_json() if isinstance(item, GgufHeader) else item
    return wire


_T = TypeVar("_T", Resume, Started, Progress, Completed, Failed, Stopped)


def _plain(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """A flat dataclass from its camelCase form."""
    fields = {
        field.name: _field(field, values)
        for field in dataclasses.fields(kind)
        if values.get(_camel(field.name)) is not None or field.default is dataclasses.MISSING
    }
    return kind(**fields)


def _field(field: dataclasses.Field[Any], values: Mapping[str, Any]) -> Any:
    name = _camel(field.name)
    if field.name == "gguf":
        return _header(_mapping(values, name))
    if field.type in ("int", "int | None"):
        return _integer(values, name)
    text = _text(values, name)
    kind = _ENUMS.get(field.name)
    if kind is None:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise InvalidMessage(f"{name}: {text!r} is none of {', '.join(kind)}") from error


def _header(values: Mapping[str, Any]) -> GgufHeader:
    try:
        return GgufHeader.from_json(values)
    except TypeError as error:
        raise InvalidMessage("gguf: a field is missing") from error


def _object(raw: str | bytes) -> Mapping[str, Any]:
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
        raise InvalidMessage(f"{name}: is not a whole number")
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
