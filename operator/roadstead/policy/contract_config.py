"""A contract's bounds of `spec.config`: whose code runs, and on which nodes before whom."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.api.contract import ResourceContract
from roadstead.api.globs import matches_any
from roadstead.api.modelserve import ModelServe
from roadstead.policy.chain import Violation
from roadstead.policy.wording import alternatives

_FIELD = "spec.config"
_IMAGE = "ImageNotAllowed"
_PLACEMENT = "PlacementNotAllowed"


def config_violations(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    """Each image, class, toleration, Secret and selector that the contract doesn't allow.

    Names are compared as they are written. What is left out, or empty, is never a violation.
    """
    yield from _named(serve, contract)
    yield from _settings(serve, contract)


def _named(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    bounds = contract.config
    for field, what, globs, reason in (
        ("image", "image", bounds.images, _IMAGE),
        ("priorityClassName", "priority class", bounds.priority_classes, _PLACEMENT),
        ("runtimeClassName", "runtime class", bounds.runtime_classes, _PLACEMENT),
    ):
        given = serve.config.get(field)
        if given and not matches_any(globs, str(given)):
            allowed = alternatives(globs) if globs else "none; leave it out"
            yield Violation(
                reason=reason,
                message=f"{what} {given}; contract {contract.meta.name} allows {allowed}",
                field=f"{_FIELD}.{field}",
            )


def _settings(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    bounds = contract.config
    for field, allowed, reason in (
        ("imagePullSecrets", bounds.pull_secrets, _IMAGE),
        ("tolerations", bounds.tolerations, _PLACEMENT),
        ("nodeSelector", bounds.node_selector, _PLACEMENT),
    ):
        given = serve.config.get(field)
        if given and not allowed:
            count = f"{len(given)} given; " if isinstance(given, dict | list | tuple) else ""
            yield Violation(
                reason=reason,
                message=f"{count}contract {contract.meta.name} allows none; leave it out",
                field=f"{_FIELD}.{field}",
            )
