"""What a contract allows in a ModelServe's `spec.config`: images, placement and others."""

from __future__ import annotations

import dataclasses
from typing import Final, Self

from roadstead.api.contract.contract_limits import strings_in
from roadstead.api.raw import Raw

_ALLOW = "Allow"
DEFAULT_MAX_GRACE_SECONDS: Final = 300
"""The longest terminationGracePeriodSeconds if the contract sets none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfigBounds:
    """Globs of the values that may be used, and the fields that may be set at all.

    A field that a ModelServe omits is the operator's or the cluster's default, always allowed.
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
        """From `spec.config` of a contract; an invalid value allows nothing."""
        return cls(
            images=strings_in(raw.get("images")),
            priority_classes=strings_in(raw.get("priorityClassNames")),
            runtime_classes=strings_in(raw.get("runtimeClassNames")),
            pod_annotations=strings_in(raw.get("podAnnotations")),
            max_grace_seconds=_grace(raw.get("maxTerminationGracePeriodSeconds")),
            tolerations=raw.get("tolerations") == _ALLOW,
            pull_secrets=raw.get("imagePullSecrets") == _ALLOW,
            node_selector=raw.get("nodeSelector", _ALLOW) == _ALLOW,
        )


def _grace(value: object) -> int:
    return value if type(value) is int else DEFAULT_MAX_GRACE_SECONDS
