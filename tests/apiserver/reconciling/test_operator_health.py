"""The operator measures the silence of its watches."""

from prometheus_client import REGISTRY

from roadstead.watching.watched_kinds import WATCHED
from tests.support.operator.namespace import Operated
from tests.support.waiting import assert_eventually


def silence(kind: str) -> float:
    """Seconds of silence of the watch of a kind, by the metric."""
    name = "roadstead_watch_silence_seconds"
    return REGISTRY.get_sample_value(name, {"resource": kind}) or 0


async def test_the_silence_of_every_watch_is_measured(operated: Operated) -> None:
    async with operated.operator():
        for resource in WATCHED:
            await assert_eventually(lambda kind=resource.plural: silence(kind) > 0)  # type: ignore[misc]  # bound now


async def test_an_event_resets_the_silence_of_a_watch(operated: Operated) -> None:
    async with operated.operator():
        await assert_eventually(lambda: silence("modelserves") > 2)
        before = silence("modelserves")
        await operated.serve(modelName="nobody-knows-it")
        await assert_eventually(lambda: silence("modelserves") < before)
