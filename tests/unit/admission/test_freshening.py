"""Objects whose stale state may cause a denial are read from the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roadstead.api.raw import Raw
from roadstead.errors import KubeNotFound
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.resources import MODELSERVES, Resource
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipt_keys import SigningKey
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.gathering import Gatherer
from roadstead_webhooks.admission.receipt_signing import Receipts
from tests.support.builders.reviews import NOW, claims, request, thing


class Server:
    """An API server with these ModelServes."""

    def __init__(self, *stored: Raw) -> None:
        self.stored = {raw["metadata"]["name"]: dict(raw) for raw in stored}

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """As in KubeClient."""
        if resource != MODELSERVES or name not in self.stored:
            raise KubeNotFound(f"{name} is not there")
        return self.stored[name]

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """Return an empty list of contracts."""
        yield Page(version=9, items=[])

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        """Not called."""
        raise NotImplementedError


class AnyTokens:
    """Verifies any token."""

    async def verify(self, token: str, *, now: int) -> Claims:
        """Return Alice's claims."""
        return claims()


@pytest.mark.parametrize("there", [True, False])
async def test_deleted_server_does_not_block_the_deletion_of_its_model(
    there: bool, tmp_path: Path
) -> None:
    serve, cache = thing(resourceVersion="2"), CountingCache(AdmittedServes())
    cache.put(MODELSERVES, serve)
    server = Server(serve) if there else Server()
    (tmp_path / "0.pem").write_bytes(SigningKey.generate().private_pem)
    gatherer = Gatherer(server, cache, AnyTokens(), Receipts(tmp_path), clock=lambda: NOW)
    deleted = request("DELETE", None, thing("Model", name="gemma"), kind="Model")
    await gatherer.refresh_cache(deleted)
    assert (await gatherer.for_validation(deleted)).users == (("demo/one",) if there else ())
