"""The Secret with a server's presigned URL is renewed in time and never adopted."""

from __future__ import annotations

import base64
import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from roadstead.api.group import LABEL_SERVER_UUID
from roadstead.api.model import StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.authorities import Authorities
from roadstead.controllers.modelserve.fetch_urls import SECRET_CHECK_SECONDS, FetchUrls
from roadstead.errors import NameTaken
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS
from roadstead.manifests.names import ANNOTATION_EXPIRES
from tests.support.builders.resources import make_serve
from tests.support.certificates import Authority
from tests.unit.kube.memory_api import MemoryApi

PLACE = StoreLocation(endpoint="http://store:9000", bucket="models", path="gemma.gguf")
LIFETIME = datetime.timedelta(minutes=30)
SECONDS = datetime.timedelta(seconds=1)
SERVE = ModelServe.parse({**make_serve("gemma", "serve-1").raw, "status": {"replicas": 0}})


def encoded(secret: Object) -> None:
    """Encode a Secret as the API server does."""
    given = secret.pop("stringData", {})
    data = {name: base64.b64encode(text.encode()).decode() for name, text in given.items()}
    secret["data"] = {**secret.get("data", {}), **data}


class Signer:
    """A store that signs each URL with another number."""

    def __init__(self) -> None:
        self.signed_for: list[datetime.timedelta] = []

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        self.signed_for.append(expires)
        return f"{location.endpoint}/{location.bucket}/{location.path}?n={len(self.signed_for)}"

    def signed(self, url: str, location: StoreLocation) -> bool:
        return url.startswith(f"{location.endpoint}/{location.bucket}/{location.path}?n=")


@dataclasses.dataclass
class World:
    """An API server, a store, a clock, and FetchUrls."""

    api: MemoryApi = dataclasses.field(default_factory=MemoryApi)
    store: Signer = dataclasses.field(default_factory=Signer)
    now: datetime.datetime = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def __post_init__(self) -> None:
        self.api.rewrite = encoded
        self.restart()

    def restart(self) -> None:
        """Replace the process by a new one without memory."""
        self.urls = FetchUrls(
            client=self.api, store=self.store, lifetime=LIFETIME, clock=lambda: self.now
        )

    async def ensure(self, *, needed: bool = True) -> float:
        return await self.urls.ensure(SERVE, PLACE, needed=needed)

    def secret(self) -> Object:
        return self.api.objects[SECRETS, "demo", "gemma-fetch"]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_url_is_signed_once_and_renewed_at_half_its_lifetime(world: World) -> None:
    for passed in (0 * SECONDS, LIFETIME / 2 - SECONDS, 2 * SECONDS):
        world.now += passed
        await world.ensure()
    assert world.store.signed_for == [LIFETIME] * 2


async def test_a_valid_url_is_kept_after_a_restart(world: World) -> None:
    await world.ensure()
    world.restart()
    await world.ensure()
    assert len(world.store.signed_for) == 1


async def test_a_url_with_too_long_a_lifetime_is_replaced(
    world: World,
) -> None:
    await world.ensure()
    late = {**world.secret()["metadata"]["annotations"], ANNOTATION_EXPIRES: "2030-01-01T00:00:00Z"}
    world.api.edit(SECRETS, "gemma-fetch", {"metadata": {"annotations": late}})
    world.restart()
    await world.ensure()
    assert len(world.store.signed_for) == 2


async def test_a_removed_owner_reference_of_a_secret_is_restored(
    world: World,
) -> None:
    await world.ensure()
    world.api.edit(SECRETS, "gemma-fetch", {"metadata": {"ownerReferences": []}})
    world.now += SECRET_CHECK_SECONDS * SECONDS
    await world.ensure()
    assert [each["uid"] for each in world.secret()["metadata"]["ownerReferences"]] == ["serve-1"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="name"),
        pytest.param({"labels": {LABEL_SERVER_UUID: "serve-1"}}, id="label"),
        pytest.param({"ownerReferences": [{"uid": "serve-1", "name": "gemma"}]}, id="owner"),
    ],
)
async def test_a_secret_of_another_owner_gets_no_url(world: World, changes: dict[str, Any]) -> None:
    theirs = {"name": "gemma-fetch", "namespace": "demo", "managedFields": [{"manager": "kubectl"}]}
    await world.api.create(SECRETS, {"kind": "Secret", "metadata": {**theirs, **changes}})
    with pytest.raises(NameTaken, match="demo/gemma-fetch already exists"):
        await world.ensure()
    assert not world.secret()["data"]


async def test_rotated_authority_reaches_the_secret_of_a_waiting_pod(tmp_path: Path) -> None:
    world, place = World(), dataclasses.replace(PLACE, endpoint="https://store:9000")
    first, second = Authority.create(), Authority.create()
    file = tmp_path / "ca.crt"
    file.write_text(first.pem)
    world.urls = dataclasses.replace(world.urls, authorities=Authorities(file=file))
    await world.urls.ensure(SERVE, place, needed=True)
    assert base64.b64decode(world.secret()["data"]["ca.crt"]).decode() == first.pem
    file.write_text(first.pem + second.pem)
    world.now += SECRET_CHECK_SECONDS * SECONDS
    await world.urls.ensure(SERVE, place, needed=True)
    assert base64.b64decode(world.secret()["data"]["ca.crt"]).decode() == first.pem + second.pem
