"""ModelServe: one server of one model (namespaced)."""

from __future__ import annotations

import dataclasses
from typing import Self

from roadstead.api.raw import Metadata, Raw, section

PLURAL = "modelserves"
KIND = "ModelServe"
DEFAULT_MODE = "Chat"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelServe:
    """A ModelServe as the API server returns it; `raw` is the whole object.

    `runtime_params`, `resources` and `config` keep the field names of the CRD, whose schema and
    defaults the API server has applied.
    """

    meta: Metadata
    raw: Raw
    model_name: str
    model_uuid: str
    endpoint: str
    bucket: str
    path: str
    replicas: int
    runtime_params: Raw
    resources: Raw
    contract: str
    config: Raw

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From an object that is valid by the CRD's schema."""
        spec = section(raw, "spec")
        return cls(
            meta=Metadata.parse(raw),
            raw=raw,
            model_name=spec.get("modelName", ""),
            model_uuid=spec.get("modelUuid", ""),
            endpoint=spec.get("minioEndpoint", "").rstrip("/"),
            bucket=spec.get("minioBucket", ""),
            path=spec.get("minioPath", ""),
            replicas=spec.get("replicas", 1),
            runtime_params=section(spec, "runtimeParams"),
            resources=section(spec, "resources"),
            contract=spec.get("contract", ""),
            config=section(spec, "config"),
        )

    @property
    def mode(self) -> str:
        """`Chat`, `Embedding` or `Rerank`."""
        return str(self.runtime_params.get("mode") or DEFAULT_MODE)

    @property
    def status(self) -> Raw:
        """The stored status."""
        return section(self.raw, "status")
