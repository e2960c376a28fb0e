"""Each server's Secret has its API key, and is written only when necessary."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.modelserve import ModelServe
from roadstead.controllers.modelserve.fetch_urls import SECRET_CHECK_SECONDS
from roadstead.controllers.modelserve.server_keys import ServerKeys
from roadstead.errors import KubeConflict, KubeUnavailable, NameTaken
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS
from roadstead.tokens.gateway_keys import GatewayKey
from tests.support.builders.resources import make_serve
from tests.unit.kube.memory_api import MemoryApi

KEY = GatewayKey(b"k" * 32)
CREATED = ("create", "Secret", "gemma-key")


def serve(uid: str = "serve-1") -> ModelServe:
    return make_serve("gemma", uid)


def encoded(secret: Object) -> None:
    """Encode a Secret as the API server does."""
    given = secret.pop("stringData", {})
    data = {name: base64.b64encode(text.encode()).decode() for name, text in given.items()}
    secret["data"] = {**secret.get("data", {}), **data}


@dataclasses.dataclass
class World:
    """An API server, a clock, and ServerKeys."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.api.rewrite = encoded
        self.keys = ServerKeys(client=self.api, key=KEY, clock=lambda: self.now)

    def secret(self) -> Object:
        return self.api.objects[SECRETS, "demo", "gemma-key"]

    def key_in_secret(self) -> str:
        return base64.b64decode(self.secret()["data"]["api-key"]).decode()

    async def taken_by(self, uid: str, name: str) -> None:
        """Create a Secret of that name with another owner."""
        owner = {"kind": "ModelServe", "name": name, "uid": uid}
        named = {"name": "gemma-key", "namespace": "demo", "ownerReferences": [owner]}
        await self.api.create(SECRETS, {"kind": "Secret", "metadata": named})
        self.api.writes.clear()


@pytest.fixture
def world() -> World:
    return World()


async def test_the_secret_has_the_key_that_forward_auth_derives(world: World) -> None:
    await world.keys.ensure(serve(), needed=True)
    assert world.key_in_secret() == KEY.server_key("serve-1")
    assert world.keys.of(serve()) == KEY.server_key("serve-1")


async def test_the_secret_is_owned_by_its_server(world: World) -> None:
    await world.keys.ensure(serve(), needed=True)
    (owner,) = world.secret()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelServe", "serve-1", True)


async def test_a_ready_server_needs_one_write(world: World) -> None:
    for _ in range(3):
        await world.keys.ensure(serve(), needed=False)
        world.now += 10 * SECRET_CHECK_SECONDS
    assert world.api.writes == [CREATED]


async def test_the_secret_of_a_waiting_server_is_read_without_a_write(world: World) -> None:
    for _ in range(3):
        await world.keys.ensure(serve(), needed=True)
        world.now += SECRET_CHECK_SECONDS
    assert world.api.writes == [CREATED]


async def test_a_deleted_secret_of_a_waiting_server_is_created_again(world: World) -> None:
    await world.keys.ensure(serve(), needed=True)
    await world.api.delete(SECRETS, "gemma-key", namespace="demo")
    world.now += SECRET_CHECK_SECONDS
    await world.keys.ensure(serve(), needed=True)
    assert world.key_in_secret() == KEY.server_key("serve-1")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"data": {"api-key": "YW5vdGhlcg=="}}, id="key"),
        pytest.param({"metadata": {"labels": {}}}, id="labels"),
        pytest.param({"metadata": {"ownerReferences": []}}, id="owner"),
        pytest.param({"metadata": {"annotations": {}}}, id="digest"),
    ],
)
async def test_a_changed_secret_is_restored(world: World, changes: dict[str, Any]) -> None:
    await world.keys.ensure(serve(), needed=True)
    before = world.secret()
    world.api.edit(SECRETS, "gemma-key", changes)
    world.now += SECRET_CHECK_SECONDS
    await world.keys.ensure(serve(), needed=True)
    after = world.secret()
    for each in (before, after):
        del each["metadata"]["resourceVersion"]
    assert after == before


async def test_a_correct_secret_is_unchanged_after_a_restart(world: World) -> None:
    await world.keys.ensure(serve(), needed=False)
    await World(api=world.api).keys.ensure(serve(), needed=False)
    assert world.api.writes == [CREATED, CREATED]


async def test_a_secret_of_another_owner_is_not_changed(world: World) -> None:
    await world.taken_by("other", "other")
    before = world.secret()
    with pytest.raises(NameTaken, match="demo/gemma-key already exists"):
        await world.keys.ensure(serve(), needed=True)
    assert world.secret() == before


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"labels": {LABEL_SERVER_UUID: "serve-1"}}, id="label"),
        pytest.param({"ownerReferences": [{"uid": "serve-1", "name": "gemma"}]}, id="owner"),
    ],
)
async def test_a_secret_with_only_owner_or_manager_is_not_adopted(
    world: World, changes: dict[str, Any]
) -> None:
    theirs = {"name": "gemma-key", "namespace": "demo", "managedFields": [{"manager": "kubectl"}]}
    await world.api.create(SECRETS, {"kind": "Secret", "metadata": {**theirs, **changes}})
    before = world.secret()
    with pytest.raises(NameTaken):
        await world.keys.ensure(serve(), needed=True)
    assert world.secret() == before


async def test_a_secret_of_an_earlier_server_is_a_conflict(world: World) -> None:
    await world.taken_by("serve-0", "gemma")
    with pytest.raises(KubeConflict, match="of an earlier ModelServe still exists"):
        await world.keys.ensure(serve(), needed=True)


async def test_a_failed_write_is_retried_at_once(world: World) -> None:
    world.api.faults["create", "Secret"] = KubeUnavailable("no answer", status=503)
    with pytest.raises(KubeUnavailable):
        await world.keys.ensure(serve(), needed=True)
    await world.keys.ensure(serve(), needed=True)
    assert world.api.writes == [CREATED]


async def test_a_forgotten_server_is_read_again(world: World) -> None:
    await world.keys.ensure(serve(), needed=False)
    world.keys.forget("serve-1")
    await world.keys.ensure(serve(), needed=False)
    assert world.api.writes == [CREATED, CREATED]


async def test_two_servers_have_two_keys(world: World) -> None:
    assert world.keys.of(serve("serve-1")) != world.keys.of(serve("serve-2"))
