"""Events of denials, and their rate limits."""

from __future__ import annotations

from typing import Any

from roadstead.kube.kube_client import Object
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import Resource
from roadstead_webhooks.admission.denials import EACH, TOTAL, Denials
from roadstead_webhooks.admission.review import AdmissionAnswer
from tests.support.builders.reviews import request, thing

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
DENIAL = AdmissionAnswer(allowed=False, reason="TokenExpired", message=f"of {JWT}", subject="alice")


class Events:
    """Records posted events."""

    def __init__(self) -> None:
        self.posted: list[Any] = []

    async def create(self, resource: Resource, body: Any) -> Object:
        """As KubeClient."""
        self.posted.append(body)
        return {}


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_event_has_subject_and_reason_and_no_token() -> None:
    events = Events()
    denials = Denials(EventRecorder(events, instance="a"), clock=Clock())
    denials.report(request("CREATE", thing()), DENIAL)
    await denials.close()
    (event,) = events.posted
    assert event["involvedObject"]["name"] == "one"
    assert "subject alice" in event["message"]
    assert "TokenExpired" in event["message"]
    assert JWT not in event["message"]


async def test_dry_run_posts_no_event() -> None:
    events = Events()
    denials = Denials(EventRecorder(events, instance="a"), clock=Clock())
    denials.report(request("CREATE", thing(), dryRun=True), DENIAL)
    await denials.close()
    assert events.posted == []


async def test_restoration_is_an_event_with_restorer_and_author() -> None:
    events = Events()
    denials = Denials(EventRecorder(events, instance="a"), clock=Clock())
    asked = request("CREATE", thing(), userInfo={"username": "velero"})
    answer = AdmissionAnswer(allowed=True, reason="Restored", subject="alice")
    denials.report_restoration(asked, answer)
    denials.report_restoration(request("CREATE", thing(), dryRun=True), answer)
    await denials.close()
    (event,) = events.posted
    assert (event["reason"], event["type"]) == ("Restored", "Normal")
    assert event["message"] == "restored by velero with the receipt of subject alice"


async def test_inconsistent_request_posts_no_event() -> None:
    events = Events()
    denials = Denials(EventRecorder(events, instance="a"), clock=Clock())
    asked = request("CREATE", thing(), namespace="victim")
    assert asked.mismatch
    denials.report(asked, DENIAL)
    await denials.close()
    assert events.posted == []


async def test_events_are_limited_per_namespace_and_in_total() -> None:
    events, clock = Events(), Clock()
    denials = Denials(EventRecorder(events, instance="a"), clock=clock)
    for number in range(TOTAL.burst * 3):
        denials.report(request("CREATE", thing(namespace=f"n{number // 100}")), DENIAL)
    await denials.close()
    assert len(events.posted) == 2 * EACH.burst
    for number in range(TOTAL.burst * 3):
        denials.report(request("CREATE", thing(namespace=f"other{number}")), DENIAL)
    await denials.close()
    assert len(events.posted) == TOTAL.burst


async def test_event_of_an_object_without_a_name_uses_its_generate_name() -> None:
    events = Events()
    denials = Denials(EventRecorder(events, instance="a"), clock=Clock())
    new = thing(generateName="serve-")
    del new["metadata"]["name"]
    denials.report(request("CREATE", new), DENIAL)
    await denials.close()
    assert events.posted[0]["involvedObject"]["name"] == "serve"
