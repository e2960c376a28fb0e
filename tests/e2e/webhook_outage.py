"""An outage of the webhooks: what users see while none of their pods runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dev.demo.installation import NAMESPACE
from dev.errors import DevError
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

WEBHOOKS: Final = "deployment/roadstead-webhooks"
_PODS: Final = ("pod", "-l", "app.kubernetes.io/component=webhooks")


@dataclass(frozen=True, kw_only=True)
class WebhookOutage:
    """The results of requests during an outage that is over."""

    refusal: str
    """The error message of a create; empty if it was allowed."""
    deleted: bool
    """Whether a ModelServe was deleted."""


def cause_outage(serves: Serves) -> WebhookOutage:
    """Scale the webhooks to zero, send the requests, and restore them."""
    serves.apply(make_serve(replicas=0))
    serves.cluster.run("-n", NAMESPACE, "scale", WEBHOOKS, "--replicas=0")
    try:
        # Terminating pods still answer.
        serves.cluster.run("-n", NAMESPACE, "wait", "--for=delete", *_PODS, "--timeout=240s")
        refusal = _refusal(serves)
        serves.kubectl("delete", "modelserve", "gemma", "--timeout=60s")
        deleted = serves.get("modelserve", "gemma") == {}
    finally:
        restore_webhooks(serves)
    return WebhookOutage(refusal=refusal, deleted=deleted)


def restore_webhooks(serves: Serves) -> None:
    """Restore the replicas of the chart, and wait until they are called."""
    serves.cluster.run("-n", NAMESPACE, "scale", WEBHOOKS, "--replicas=2")
    serves.cluster.run("-n", NAMESPACE, "rollout", "status", WEBHOOKS, "--timeout=120s")
    # The node's rules route to pods a moment after they are ready.
    wait_until(serves.is_admitted)


def _refusal(serves: Serves) -> str:
    try:
        serves.apply(make_serve("second", replicas=0))
    except DevError as error:
        return str(error)
    return ""
