"""What of a ModelServe's `spec.config` a contract allows: which images, and which placement."""

from __future__ import annotations

import dataclasses
from typing import Final, Self

from roadstead.api.contract_limits import texts
from roadstead.api.raw import Raw

_ALLOW = "Allow"
DEFAULT_MAX_GRACE_SECONDS: Final = 300
"""The longest terminationGracePeriodSeconds where a contract doesn't say."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigBounds:
    """Globs of what may be named, and what may be set at all.

    What a ModelServe leaves out is the operator's or the cluster's and needs no leave.
    """

    images: tuple[str, ...] = ()
    priority_classes: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
    pod_annotations: tuple[str, ...] = ()
    """Globs of keys."""
    max_grace_seconds: int = DEFAULT_MAX_GRACE_SECONDS
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
            pod_annotations=texts(raw.get("podAnnotations")),
            max_grace_seconds=_grace(raw.get("maxTerminationGracePeriodSeconds")),
            tolerations=raw.get("tolerations") == _ALLOW,
            pull_secrets=raw.get("imagePullSecrets") == _ALLOW,
            node_selector=raw.get("nodeSelector", _ALLOW) == _ALLOW,
        )


def _grace(value: object) -> int:
    return value if type(value) is int else DEFAULT_MAX_GRACE_SECONDS
