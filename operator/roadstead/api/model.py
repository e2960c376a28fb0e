"""Model: one entry of the catalogue (cluster-scoped)."""

from __future__ import annotations

import dataclasses
from typing import Literal, Self

from roadstead.api.raw import Metadata, Raw, section

PLURAL = "models"
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """A Model as the API server returns it; `raw` is the whole object."""

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

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From an object that is valid by the CRD's schema."""
        spec = section(raw, "spec")
        return cls(
            meta=Metadata.parse(raw),
            raw=raw,
            display_name=spec.get("displayName", ""),
            source=_source(section(spec, "source")),
            quantization=spec.get("quantization", ""),
            sha256=spec.get("sha256", ""),
            endpoint=spec.get("minioEndpoint", "").rstrip("/"),
            bucket=spec.get("minioBucket", ""),
            path=spec.get("minioPath", ""),
            deletion_policy=spec.get("deletionPolicy", "Retain"),
        )

    @property
    def status(self) -> Raw:
        """The stored status."""
        return section(self.raw, "status")

    @property
    def object_path(self) -> str:
        """The key of its object: the given one, else one that is unique to the Model."""
        return self.path or f"{self.meta.name}/{self.meta.uid}.gguf"

    @property
    def size(self) -> int:
        """Bytes of the verified object, 0 before."""
        return int(self.status.get("sizeBytes", 0))

    @property
    def digest(self) -> str:
        """The verified sha256, empty before."""
        return str(self.status.get("sha256", ""))

    @property
    def stored_at(self) -> StoreLocation | None:
        """The location of the verified object, from the status."""
        if not self.digest:
            return None
        return StoreLocation(
            endpoint=self.status["minioEndpoint"],
            bucket=self.status["minioBucket"],
            path=self.status["minioPath"],
        )

    @property
    def upload(self) -> UploadState | None:
        """The unfinished upload that a transfer may resume."""
        transfer = section(self.status, "transfer")
        if not transfer.get("uploadId"):
            return None
        return UploadState(
            upload_id=transfer["uploadId"],
            key=transfer["key"],
            part_size=transfer["partSizeBytes"],
            source_etag=transfer.get("sourceEtag", ""),
            size=transfer["bytesTotal"],
            attempt=transfer.get("attempt", 1),
        )


def _source(raw: Raw) -> Source:
    if quant := section(raw, "quant"):
        return QuantSource(model_id=quant["modelId"], endpoint=quant.get("endpoint", ""))
    if ref := section(raw, "presignedUrl", "secretRef"):
        return PresignedSource(
            secret=ref["name"], namespace=ref.get("namespace", ""), key=ref.get("key", "url")
        )
    return StoredSource()
