"""The route of a Service is applied and restored."""

from functools import partial

from roadstead.controllers.service_route import ServiceRoute
from roadstead.kube.resources import INGRESSROUTES, SERVICES
from roadstead.manifests.service_routes import console_route
from tests.unit.kube.memory_api import MemoryApi
from tests.unit.manifests.test_gateway import routing

NAME, NAMESPACE = "roadstead-console", "roadstead-system"
KEY = (INGRESSROUTES, NAMESPACE, NAME)


def keeping(api: MemoryApi, *, served: bool = True) -> ServiceRoute:
    if served:
        meta = {"name": NAME, "namespace": NAMESPACE, "uid": "u"}
        api.objects[SERVICES, NAMESPACE, NAME] = {"metadata": meta}
    render = partial(console_route, routing=routing())
    return ServiceRoute(api, render, service=NAME, namespace=NAMESPACE)


async def test_the_route_is_applied_once() -> None:
    route = keeping(api := MemoryApi())
    assert await route.apply()
    assert not await route.apply()
    assert len(api.writes) == 1


async def test_a_changed_or_deleted_route_is_applied_again() -> None:
    route = keeping(api := MemoryApi())
    await route.apply()
    api.objects[KEY]["spec"]["routes"][0]["services"][0]["name"] = "theirs"
    assert await route.apply()
    del api.objects[KEY]
    assert await route.apply()


async def test_defaults_of_the_api_server_are_not_a_change() -> None:
    route = keeping(api := MemoryApi())
    await route.apply()
    api.objects[KEY]["spec"]["routes"][0]["services"][0]["weight"] = 1
    assert not await route.apply()


async def test_without_the_service_nothing_is_applied() -> None:
    api = MemoryApi()
    assert not await keeping(api, served=False).apply()
    assert api.writes == []
