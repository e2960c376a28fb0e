"""A contract's bounds of `spec.config`: images, placement, priority and annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.api.object_names import matches_any
from roadstead.api.raw import section
from roadstead.excerpts import alternatives, together
from roadstead.policy.chain import Violation

_FIELD = "spec.config"
_IMAGE = "ImageNotAllowed"
_PLACEMENT = "PlacementNotAllowed"
_CONFIG = "ConfigNotAllowed"
_GRACE: Final = "terminationGracePeriodSeconds"
_MAX_KEY: Final = 317
"""The longest key of an annotation: a DNS subdomain, a slash and a name."""
_SHOWN_KEY: Final = 64


def config_violations(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    """Images, placement, annotations and grace periods that the contract doesn't allow.

    Names are compared exactly. An omitted or empty field is never a violation.
    """
    yield from _named(serve, contract)
    yield from _settings(serve, contract)
    yield from _annotations(serve, contract)
    yield from _grace_period(serve, contract)


def _named(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    bounds = contract.config
    for field, what, globs, reason in (
        ("image", "image", bounds.images, _IMAGE),
        ("priorityClassName", "priority class", bounds.priority_classes, _PLACEMENT),
        ("runtimeClassName", "runtime class", bounds.runtime_classes, _PLACEMENT),
    ):
        given = serve.config.get(field)
        if given and not matches_any(globs, str(given)):
            allowed = alternatives(globs) if globs else "none; remove it"
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
                message=f"{count}contract {contract.meta.name} allows none; remove it",
                field=f"{_FIELD}.{field}",
            )


def _annotations(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    globs = contract.config.pod_annotations
    refused = [
        key[:_SHOWN_KEY]
        for key in section(serve.config, "podAnnotations")
        if len(key) > _MAX_KEY or not matches_any(globs, key)
    ]
    if refused:
        allowed = alternatives(globs) if globs else "none; remove it"
        yield Violation(
            reason=_CONFIG,
            message=f"{together(refused)}; contract {contract.meta.name} allows {allowed}",
            field=f"{_FIELD}.podAnnotations",
        )


def _grace_period(serve: ModelServe, contract: ResourceContract) -> Iterator[Violation]:
    given, most = serve.config.get(_GRACE), contract.config.max_grace_seconds
    if isinstance(given, int) and given > most:
        yield Violation(
            reason=_CONFIG,
            message=f"{given} s; contract {contract.meta.name} allows {most} s at most",
            field=f"{_FIELD}.{_GRACE}",
        )
