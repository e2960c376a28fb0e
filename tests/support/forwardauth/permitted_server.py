"""A server and a contract that allows users to use it, for forward auth."""

from __future__ import annotations

import contextlib
import dataclasses

from kubernetes.aio import client

from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from tests.support.builders.objects import Raw, make_contract, make_modelserve
from tests.support.custom_objects import call, create
from tests.support.forwardauth.auth_process import SYSTEM


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """A server, and the contract that allows group `demo-users` to use it."""

    serve: Raw
    contract: Raw

    @property
    def uuid(self) -> str:
        """The server's UUID."""
        return str(self.serve["metadata"]["uid"])


async def make_system(server: ApiServer) -> None:
    """Create the namespace of the installation."""
    async with connect(server) as api:
        with contextlib.suppress(client.ApiException):
            await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})


async def make_site(api: client.ApiClient, namespace: str) -> Site:
    """Create a server and its contract."""
    contract = await create(api, make_contract(namespaces={"names": [namespace]}))
    name = contract["metadata"]["name"]
    return Site(
        serve=await create(api, make_modelserve(namespace, contract=name)), contract=contract
    )
