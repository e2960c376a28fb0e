"""Image pull Secrets are copied for servers, and follow their sources."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from roadstead.controllers.modelserve.fetch_urls import SECRET_CHECK_SECONDS
from roadstead.controllers.modelserve.owned_secrets import OwnedSecrets
from roadstead.controllers.modelserve.pull_secret_copies import PullSecretCopies
from roadstead.errors import KubeUnavailable, NameTaken, PullSecretUnusable
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS
from roadstead.manifests.pull_secret import CONTENT, TYPE
from tests.support.builders.resources import make_serve
from tests.unit.controllers.test_server_keys import encoded
from tests.unit.kube.memory_api import MemoryApi

COPY = "gemma-pull-regcred"
FIRST = json.dumps({"auths": {"registry.example.com": {"auth": "Zmlyc3Q="}}})
SECOND = json.dumps({"auths": {"registry.example.com": {"auth": "c2Vjb25k"}}})


@dataclasses.dataclass
class World:
    """An API server with the source, a clock, and PullSecretCopies."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    now: float = 1000.0
    changes: int = 0

    def __post_init__(self) -> None:
        self.api.rewrite = encoded
        self.copies = PullSecretCopies(
            client=self.api,
            secrets=OwnedSecrets(client=self.api, clock=lambda: self.now),
            namespace="roadstead-system",
            sources=("regcred",),
            on_change=self._count,
        )

    def _count(self) -> None:
        self.changes += 1

    async def source(self, content: str, type_: str = TYPE) -> None:
        """Create or replace the source."""
        meta = {"name": "regcred", "namespace": "roadstead-system"}
        body = {"kind": "Secret", "metadata": meta, "type": type_, "stringData": {CONTENT: content}}
        await self.api.apply(SECRETS, body)
        self.api.writes.clear()

    def copy(self) -> Object:
        return self.api.objects[SECRETS, "demo", COPY]

    def content(self) -> str:
        return base64.b64decode(self.copy()["data"][CONTENT]).decode()


@pytest.fixture
async def world() -> World:
    made = World()
    await made.source(FIRST)
    return made


async def test_a_server_gets_a_copy_that_it_owns(world: World) -> None:
    await world.copies.ensure(make_serve("gemma", "serve-1"), needed=True)
    (owner,) = world.copy()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("ModelServe", "serve-1")
    assert (world.copy()["type"], world.content()) == (TYPE, FIRST)


async def test_a_copy_follows_its_source(world: World) -> None:
    serve = make_serve("gemma", "serve-1")
    await world.copies.ensure(serve, needed=False)
    await world.copies.refresh()
    assert world.changes == 0
    await world.source(SECOND)
    await world.copies.refresh()
    assert world.changes == 1
    await world.copies.ensure(serve, needed=False)
    assert world.content() == SECOND


async def test_an_unchanged_source_writes_nothing(world: World) -> None:
    serve = make_serve("gemma", "serve-1")
    for _ in range(3):
        await world.copies.ensure(serve, needed=True)
        await world.copies.refresh()
        world.now += SECRET_CHECK_SECONDS
    assert world.api.writes == [("create", "Secret", COPY)]


async def test_a_missing_source_keeps_the_copies(world: World) -> None:
    serve = make_serve("gemma", "serve-1")
    await world.copies.ensure(serve, needed=False)
    await world.api.delete(SECRETS, "regcred", namespace="roadstead-system")
    await world.copies.refresh()
    await world.copies.ensure(serve, needed=False)
    assert (world.content(), world.changes) == (FIRST, 0)


async def test_an_unavailable_api_server_keeps_the_copies(world: World) -> None:
    await world.copies.ensure(make_serve("gemma", "serve-1"), needed=False)
    world.api.faults["get", "Secret"] = KubeUnavailable("no answer", status=503)
    await world.copies.refresh()
    assert world.changes == 0


async def test_a_server_does_not_start_without_its_source() -> None:
    world = World()
    with pytest.raises(PullSecretUnusable, match=r"Secret roadstead-system/regcred .* not exist"):
        await world.copies.ensure(make_serve("gemma", "serve-1"), needed=True)


async def test_a_source_of_another_type_is_refused(world: World) -> None:
    await world.source(FIRST, type_="Opaque")
    with pytest.raises(PullSecretUnusable, match=f"is not of type {TYPE}"):
        await world.copies.ensure(make_serve("gemma", "serve-1"), needed=True)


async def test_a_secret_of_another_owner_is_not_changed(world: World) -> None:
    theirs = {"kind": "Secret", "metadata": {"name": COPY, "namespace": "demo"}}
    await world.api.create(SECRETS, theirs)
    before = world.copy()
    with pytest.raises(NameTaken):
        await world.copies.ensure(make_serve("gemma", "serve-1"), needed=True)
    assert world.copy() == before


async def test_the_annotations_of_a_copy_do_not_depend_on_its_content(world: World) -> None:
    serve = make_serve("gemma", "serve-1")
    await world.copies.ensure(serve, needed=False)
    before = world.copy()["metadata"]["annotations"]
    await world.source(SECOND)
    await world.copies.refresh()
    await world.copies.ensure(serve, needed=False)
    assert world.copy()["metadata"]["annotations"] == before
