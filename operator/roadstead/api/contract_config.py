"""What of a ModelServe's `spec.config` a contract allows: which images, and which placement."""

from __future__ import annotations

import dataclasses
from typing import Self

from roadstead.api.contract_limits import texts
from roadstead.api.raw import Raw

_ALLOW = "Allow"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigBounds:
    """Globs of what may be named, and what may be set at all.

    What a ModelServe leaves out is the operator's or the cluster's and needs no leave.
    """

    images: tuple[str, ...] = ()
    priority_classes: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
    tolerations: bool = False
    pull_secrets: bool = False
    node_selector: bool = True

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From `spec.config` of a contract; what can't be read allows nothing."""
        return cls(
            images=texts(raw.get("images")),
            priority_classes=texts(raw.get("priorityClassNames")),
            runtime_classes=texts(raw.get("runtimeClassNames")),
            tolerations=raw.get("tolerations") == _ALLOW,
            pull_secrets=raw.get("imagePullSecrets") == _ALLOW,
            node_selector=raw.get("nodeSelector", _ALLOW) == _ALLOW,
        )
