"""How the Deployment of a server follows `spec.rollout` and the number of replicas."""

import functools

from tests.support import custom_objects
from tests.support.operator.namespace import Operated
from tests.support.waiting import assert_eventually


async def test_a_server_changes_from_one_strategy_to_the_other(operated: Operated) -> None:
    """The API server refuses `rollingUpdate` beside the type Recreate, so it must go."""
    name = operated.site.publish()

    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        for strategy, wanted in (("Recreate", "Recreate"), ("Surge", "RollingUpdate")):
            rollout = {"strategy": strategy}
            await custom_objects.patch(operated.api, serve, {"spec": {"rollout": rollout}})
            await assert_eventually(functools.partial(_has_type, operated, wanted))


async def _has_type(operated: Operated, wanted: str) -> bool:
    strategy = (await operated.child("deployments", "gemma"))["spec"]["strategy"]
    return bool(strategy["type"] == wanted)


async def test_a_disruption_budget_comes_and_goes_with_the_second_replica(
    operated: Operated,
) -> None:
    name = operated.site.publish()

    async def has_budgets(count: int) -> bool:
        return len(await operated.children("poddisruptionbudgets")) == count

    async with operated.operator():
        serve = await operated.serve(name="gemma", modelName=name, replicas=2)
        await operated.wait_for_deployment(serve)
        await assert_eventually(lambda: has_budgets(1))
        await custom_objects.patch(operated.api, serve, {"spec": {"replicas": 1}}, "scale")
        await assert_eventually(lambda: has_budgets(0))
