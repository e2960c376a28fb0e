"""The connection between the API server and the webhooks, to interrupt or slow down."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from kubernetes.aio import client

from tests.support.custom_objects import MERGE_PATCH, call
from tests.support.webhooks.registration import CONFIGURATIONS, NAME


@contextlib.asynccontextmanager
async def leading_through(
    api: client.ApiClient, address: str, *, seconds: int
) -> AsyncIterator[None]:
    """Have the API server call `address` (`HOST:PORT`), with a timeout of `seconds`."""
    before = {path: (await call(api, "GET", path))["webhooks"] for path in _paths()}
    for path, webhooks in before.items():
        moved = [_moved(webhook, address, seconds) for webhook in webhooks]
        await call(api, "PATCH", path, {"webhooks": moved}, MERGE_PATCH)
    try:
        yield
    finally:
        for path, webhooks in before.items():
            await call(api, "PATCH", path, {"webhooks": webhooks}, MERGE_PATCH)


def _paths() -> list[str]:
    return [f"{collection}/{NAME}" for collection in CONFIGURATIONS]


def _moved(webhook: dict[str, Any], address: str, seconds: int) -> dict[str, Any]:
    place = webhook["clientConfig"]
    url = urlsplit(place["url"])._replace(netloc=address).geturl()
    return {**webhook, "clientConfig": {**place, "url": url}, "timeoutSeconds": seconds}
