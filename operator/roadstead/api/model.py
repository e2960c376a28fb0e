"""Model: one entry of the catalogue (cluster-scoped)."""

from __future__ import annotations

import dataclasses
from typing import Literal, Self

from roadstead.api.group import ANNOTATION_STORED
from roadstead.api.raw import FieldReader, Metadata, Raw, positive, section
from roadstead.api.stored_content import StoredContent

KIND = "Model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """One object: `endpoint` is `http[s]://host[:port]`, `path` the key within `bucket`."""

    endpoint: str
    bucket: str
    path: str

    def __str__(self) -> str:
        return f"{self.endpoint}/{self.bucket}/{self.path}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantSource:
    """A model of a Quant service; an empty endpoint means the operator's."""

    model_id: str
    endpoint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PresignedSource:
    """A model at a presigned URL, which is in a Secret."""

    secret: str
    namespace: str = ""
    key: str = "url"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredSource:
    """An object that is in the store already: it is verified and adopted."""


Source = QuantSource | PresignedSource | StoredSource


@dataclasses.dataclass(frozen=True, kw_only=True)
class UploadState:
    """What a transfer needs to resume after a kill, kept in `status.transfer`."""

    upload_id: str
    key: str
    part_size: int
    source_etag: str
    size: int
    attempt: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A Model as the API server returns it; `raw` is the whole object.

    `faults` lists the fields of the spec that the CRD's schema would not accept.
    """

    meta: Metadata
    raw: Raw
    display_name: str
    source: Source
    quantization: str
    sha256: str
    endpoint: str
    bucket: str
    path: str
    deletion_policy: Literal["Retain", "Delete"]
    kept: StoredContent | None
    """Where its content was stored, by the annotation; None without one."""
    faults: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From a whole object; never raises."""
        spec, meta = FieldReader(raw, "").inner("spec"), Metadata.parse(raw)
        return cls(
            meta=meta,
            raw=raw,
            display_name=spec.text("displayName"),
            source=_source(spec.inner("source")),
            quantization=spec.text("quantization"),
            sha256=spec.text("sha256"),
            endpoint=spec.text("minioEndpoint").rstrip("/"),
            bucket=spec.text("minioBucket"),
            path=spec.text("minioPath"),
            deletion_policy="Delete" if spec.text("deletionPolicy") == "Delete" else "Retain",
            kept=StoredContent.parse(meta.annotations.get(ANNOTATION_STORED)),
            faults=tuple(spec.faults),
        )

    @property
    def status(self) -> Raw:
        """The stored status."""
        return section(self.raw, "status")

    @property
    def object_path(self) -> str:
        """The key of its object: the given one, else that before a restore, else a unique one."""
        kept = self.kept.path_of(self.meta) if self.kept is not None else ""
        return self.path or kept or f"{self.meta.name}/{self.meta.uid}.gguf"

    @property
    def kept_sha256(self) -> str:
        """The sha256 by the annotation, if the spec is the same; empty if it is unknown."""
        return self.kept.sha256_of(section(self.raw, "spec")) if self.kept is not None else ""

    @property
    def size(self) -> int:
        """Bytes of the verified object, 0 before."""
        return positive(self.status, "sizeBytes")

    @property
    def digest(self) -> str:
        """The verified sha256, empty before."""
        return str(self.status.get("sha256", ""))

    @property
    def stored_at(self) -> StoreLocation | None:
        """The location of the verified object, from the status; None before."""
        given = [self.status.get(name) for name in ("minioEndpoint", "minioBucket", "minioPath")]
        if not self.digest or not all(given):
            return None
        endpoint, bucket, path = map(str, given)
        return StoreLocation(endpoint=endpoint, bucket=bucket, path=path)

    @property
    def upload(self) -> UploadState | None:
        """The unfinished upload that a transfer may resume."""
        transfer = section(self.status, "transfer")
        if not all(map(transfer.get, ("uploadId", "key", "partSizeBytes", "bytesTotal"))):
            return None
        return UploadState(
            upload_id=transfer["uploadId"],
            key=transfer["key"],
            part_size=transfer["partSizeBytes"],
            source_etag=transfer.get("sourceEtag", ""),
            size=transfer["bytesTotal"],
            attempt=transfer.get("attempt", 1),
        )


def _source(given: FieldReader) -> Source:
    quant = given.inner("quant")
    if quant.raw:
        return QuantSource(model_id=quant.required("modelId"), endpoint=quant.text("endpoint"))
    secret = given.inner("presignedUrl").inner("secretRef")
    if secret.raw:
        return PresignedSource(
            secret=secret.required("name"),
            namespace=secret.text("namespace"),
            key=secret.text("key", "url"),
        )
    return StoredSource()
