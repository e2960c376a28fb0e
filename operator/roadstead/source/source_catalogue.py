"""The models of a source store: objects `<model id>.gguf` of one bucket.

The sha256 and the quantisation of an object are computed once and stored in
`<model id>.gguf.json` beside it; they are valid while the object's ETag is the same.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import io
import json
import re
import threading
from typing import Any, Final

from minio import Minio
from minio.error import S3Error

from roadstead.errors import ModelUnknown, Retry, SourceError
from roadstead.gguf.gguf_header import InvalidGguf, Truncated, parse_header

SUFFIX: Final = ".gguf"
NOTE_SUFFIX: Final = ".gguf.json"
MAX_MODEL_ID: Final = 253
_ID_PART: Final = "[A-Za-z0-9_][A-Za-z0-9._:@+-]*"
_MODEL_ID: Final = re.compile(f"{_ID_PART}(?:/{_ID_PART})*")
_CHUNK_BYTES: Final = 2**20
_HEADER_BYTES: Final = 32 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceModel:
    """One model of the source."""

    model_id: str
    etag: str
    size_bytes: int
    sha256: str
    quantization: str | None


def is_model_id(text: str) -> bool:
    """Whether it is a valid `source.quant.modelId`: no segment can refer to another folder."""
    return len(text) <= MAX_MODEL_ID and _MODEL_ID.fullmatch(text) is not None


class SourceCatalogue:
    """Finds models; methods block, raise SourceError, and may be called from any thread."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def model_ids(self) -> tuple[str, ...]:
        """Return the ids of all models, sorted."""
        listed = self._client.list_objects(self._bucket, recursive=True)
        names = (found.object_name or "" for found in listed)
        ids = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return tuple(sorted(filter(is_model_id, ids)))

    def entry(self, model_id: str) -> SourceModel:
        """Return one model; raises ModelUnknown, or SourceError (SourceGone) if it was deleted."""
        if not is_model_id(model_id):
            raise _model_unknown(model_id)
        with self._lock(model_id):
            note = self._read_note(model_id)
            etag = self._read_etag(model_id)
            if etag is None and note is not None:
                message = f"model {model_id!r} no longer exists"
                raise SourceError("SourceGone", message, retry=Retry.ON_CHANGE)
            if etag is None:
                raise _model_unknown(model_id)
            if note is not None and note.etag == etag:
                return note
            return self._write_note(self._compute(model_id, etag))

    def presign(self, entry: SourceModel, public: Minio, lifetime: datetime.timedelta) -> str:
        """Return a URL that reads the model until `lifetime` from now, at `public`'s address."""
        return public.get_presigned_url(
            "GET", self._bucket, entry.model_id + SUFFIX, expires=lifetime
        )

    def _lock(self, model_id: str) -> threading.Lock:
        with self._locks_lock:
            return self._locks.setdefault(model_id, threading.Lock())

    def _read_etag(self, model_id: str) -> str | None:
        try:
            return self._client.stat_object(self._bucket, model_id + SUFFIX).etag
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchBucket"):
                return None
            raise

    def _read_note(self, model_id: str) -> SourceModel | None:
        try:
            response = self._client.get_object(self._bucket, model_id + NOTE_SUFFIX)
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchBucket"):
                return None
            raise
        try:
            values: dict[str, Any] = json.loads(response.read())
            return SourceModel(**values)
        except (ValueError, TypeError):
            return None  # written by another version or program: computed again
        finally:
            response.close()
            response.release_conn()

    def _compute(self, model_id: str, etag: str) -> SourceModel:
        digest, prefix, size = hashlib.sha256(), bytearray(), 0
        response = self._client.get_object(self._bucket, model_id + SUFFIX)
        try:
            for chunk in response.stream(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                if len(prefix) < _HEADER_BYTES:
                    prefix += chunk
        finally:
            response.close()
            response.release_conn()
        return SourceModel(
            model_id=model_id,
            etag=etag,
            size_bytes=size,
            sha256=digest.hexdigest(),
            quantization=_quantization(prefix, size),
        )

    def _write_note(self, entry: SourceModel) -> SourceModel:
        raw = json.dumps(dataclasses.asdict(entry), indent=1).encode()
        self._client.put_object(
            self._bucket,
            entry.model_id + NOTE_SUFFIX,
            io.BytesIO(raw),
            len(raw),
            content_type="application/json",
        )
        return entry


def _quantization(prefix: bytearray, size: int) -> str | None:
    try:
        return parse_header(prefix, size).quantization
    except (Truncated, InvalidGguf):
        return None


def _model_unknown(model_id: str) -> ModelUnknown:
    message = f"unknown model {model_id[:MAX_MODEL_ID]!r}; GET /models lists all"
    return ModelUnknown("ModelUnknown", message, retry=Retry.ON_CHANGE)
