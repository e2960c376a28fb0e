"""ModelServe: one server of one model (namespaced)."""

from __future__ import annotations

import dataclasses
from typing import Self

from roadstead.api.raw import FieldReader, Metadata, Raw, section
from roadstead.api.server_ids import server_id_of

KIND = "ModelServe"
DEFAULT_MODE = "Chat"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelServe:
    """A ModelServe as the API server returns it; `raw` is the whole object.

    `runtime_params`, `resources`, `config` and `rollout` keep the field names of the CRD, whose
    schema and defaults the API server has applied. `faults` lists the fields that it would not
    accept.
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
    rollout: Raw
    faults: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From a whole object; never raises."""
        spec = FieldReader(raw, "").inner("spec")
        resources = spec.inner("resources")
        for part in ("limits", "requests"):
            resources.mapping(part)
        return cls(
            meta=Metadata.parse(raw),
            raw=raw,
            model_name=spec.text("modelName"),
            model_uuid=spec.text("modelUuid"),
            endpoint=spec.text("minioEndpoint").rstrip("/"),
            bucket=spec.text("minioBucket"),
            path=spec.text("minioPath"),
            replicas=spec.whole("replicas", 1),
            runtime_params=spec.mapping("runtimeParams"),
            resources=resources.raw,
            contract=spec.text("contract"),
            config=spec.mapping("config"),
            rollout=_rollout(spec.inner("rollout")),
            faults=tuple(spec.faults),
        )

    @property
    def server_id(self) -> str:
        """The UUID in its address, its labels and the ledger; the object's UID is `meta.uid`."""
        return server_id_of(self.meta)

    @property
    def mode(self) -> str:
        """`Chat`, `Embedding` or `Rerank`."""
        return str(self.runtime_params.get("mode") or DEFAULT_MODE)

    @property
    def status(self) -> Raw:
        """The stored status."""
        return section(self.raw, "status")


def _rollout(given: FieldReader) -> Raw:
    """The fields of `spec.rollout` that are set."""
    values: Raw = {
        "strategy": given.text("strategy"),
        "maxSurge": given.whole("maxSurge", -1),
        "maxUnavailable": given.whole("maxUnavailable", -1),
    }
    return {name: value for name, value in values.items() if value not in ("", -1)}
