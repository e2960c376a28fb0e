"""`roadstead check-gateway`: which servers it asks, and what it reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.cli.gateway_check import GatewayCheck, usable
from roadstead.errors import GatewayError
from roadstead.gateway.caller import GatewayAnswer

TOKEN = "a-token"
CHAT = {"choices": [{"message": {"content": "Hello!"}}]}


def raw(name: str, *, mode: str = "Chat", ready: str = "True") -> Raw:
    condition = {"type": "Ready", "status": ready, "reason": "Any"}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-of-{name}"},
        "spec": {"runtimeParams": {"mode": mode}},
        "status": {"conditions": [condition]},
    }


def server(name: str, *, mode: str = "Chat") -> ModelServe:
    return ModelServe.parse(raw(name, mode=mode))


class Site:
    """A gateway with the statuses that its servers answer with, by uid; records the requests."""

    def __init__(
        self, *, anonymous: int = 401, by: str = "roadstead", **statuses: list[int]
    ) -> None:
        self.anonymous = GatewayAnswer(status=anonymous, body=b"{}", by=by)
        self.statuses = statuses
        self.asked: list[str] = []

    async def call(
        self, path: str, *, token: str = "", body: Mapping[str, Any] | None = None
    ) -> GatewayAnswer:
        self.asked.append(path)
        if path == "/":
            return GatewayAnswer(status=404, body=b"")
        if not token:
            return self.anonymous
        statuses = self.statuses[path.split("/")[1].removeprefix("uid-of-")]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return GatewayAnswer(status=status, body=json.dumps(CHAT).encode())


async def no_sleep(_: float) -> None:
    """Continue at once."""


async def check(site: Site, *servers: ModelServe, wait: float = 60) -> str:
    return await GatewayCheck(caller=site, token=TOKEN, wait=wait, sleep=no_sleep).check(servers)


async def test_a_server_that_requires_a_token_is_asked_with_one() -> None:
    site = Site(a=[200])
    assert await check(site, server("a")) == "team/a requires a token, and answered: 'Hello!'"
    assert site.asked == [
        "/uid-of-a/v1/models",
        "/uid-of-a/v1/models",
        "/uid-of-a/v1/chat/completions",
    ]


async def test_a_server_that_answers_without_a_token_is_a_failure() -> None:
    with pytest.raises(GatewayError, match="answered 200 without a token"):
        await check(Site(anonymous=200, by="llama.cpp", a=[200]), server("a"))


async def test_a_denial_by_another_program_is_a_failure() -> None:
    with pytest.raises(GatewayError, match="instead of 401 by forward auth"):
        await check(Site(by="nginx", a=[200]), server("a"))


async def test_the_first_server_that_allows_the_token_is_asked() -> None:
    assert "team/b" in await check(Site(a=[403], b=[200]), server("a"), server("b"))


async def test_a_token_that_no_contract_allows_is_a_failure_with_advice() -> None:
    with pytest.raises(GatewayError, match=r"team/a, team/b: set test\.groups"):
        await check(Site(a=[403], b=[403]), server("a"), server("b"))


async def test_a_busy_server_is_asked_again() -> None:
    assert "answered" in await check(Site(a=[200, 503, 429, 200]), server("a"))


async def test_a_server_that_stays_unreachable_is_a_failure() -> None:
    with pytest.raises(GatewayError, match="team/a answered 502"):
        await check(Site(a=[502]), server("a"), wait=0)


async def test_without_a_ready_server_only_the_gateway_is_asked() -> None:
    site = Site()
    assert "no question was asked" in await check(site)
    assert site.asked == ["/"]


@pytest.mark.parametrize(
    ("mode", "path"), [("Embedding", "/v1/embeddings"), ("Rerank", "/v1/rerank")]
)
async def test_the_question_is_one_of_the_servers_mode(mode: str, path: str) -> None:
    site = Site(a=[200])
    await check(site, server("a", mode=mode))
    assert site.asked[-1] == f"/uid-of-a{path}"


def test_only_ready_servers_are_asked_in_the_order_of_their_names() -> None:
    found = usable([raw("b"), raw("c", ready="False"), raw("a"), {"metadata": {"name": "d"}}])
    assert [each.meta.name for each in found] == ["a", "b"]
