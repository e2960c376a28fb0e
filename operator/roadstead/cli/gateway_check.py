"""`roadstead check-gateway`: asks a server through the gateway, as `helm test` does.

It needs the right to list ModelServes, or to get the one that `--server` names.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from roadstead import tokens
from roadstead.api import conditions
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.authorities import Authorities
from roadstead.clocks import utc_now
from roadstead.errors import GatewayError, InvalidSettings
from roadstead.gateway.caller import GatewayAnswer, GatewayCaller
from roadstead.gateway.probe import FORWARD_AUTH
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELSERVES

RETRY_SECONDS: Final = 2.0
TOKEN_LIFETIME: Final = datetime.timedelta(minutes=5)
QUESTION: Final = "Say hello."
_TRANSIENT: Final = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""A replica of the gateway may not have the route yet, or the server may be busy."""


class GatewayClient(Protocol):
    """The method of the gateway's client that this module uses."""

    async def call(
        self, path: str, *, token: str = "", body: Mapping[str, Any] | None = None
    ) -> GatewayAnswer:
        """One request; raises GatewayError if there is no response."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """A request that a server of some mode answers."""

    path: str
    body: Mapping[str, Any]


QUESTIONS: Final[Mapping[str, Question]] = {
    "Chat": Question(
        path="/v1/chat/completions",
        body={"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16},
    ),
    "Embedding": Question(path="/v1/embeddings", body={"input": QUESTION}),
    "Rerank": Question(path="/v1/rerank", body={"query": QUESTION, "documents": ["hello"]}),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatewayCheck:
    """Asks the first of some servers that the token may use."""

    caller: GatewayClient
    token: str = dataclasses.field(repr=False)
    wait: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def check(self, servers: Sequence[ModelServe]) -> str:
        """The result, for people. Raises GatewayError with what to do."""
        if not servers:
            answer = await self.caller.call("/")
            return (
                f"the gateway answers ({answer.status}). No ModelServe is Ready, so no question "
                "was asked: create one, then run the test again"
            )
        for server in servers:
            await self._require_denial(server)
            listed = await self._until(server, "/v1/models", None, self.token, HTTPStatus.OK)
            if listed.status != HTTPStatus.FORBIDDEN:
                return await self._ask(server)
        raise GatewayError(
            f"no contract allows the token to use {', '.join(map(_name, servers))}: "
            "set test.groups or test.subject to a group or a subject of a contract"
        )

    async def _require_denial(self, server: ModelServe) -> None:
        answer = await self._until(server, "/v1/models", None, "", HTTPStatus.UNAUTHORIZED)
        if answer.status != HTTPStatus.UNAUTHORIZED or answer.by != FORWARD_AUTH:
            raise GatewayError(
                f"{_name(server)} answered {answer.status} without a token, instead of 401 by "
                "forward auth: check the gateway's Middlewares and its log"
            )

    async def _ask(self, server: ModelServe) -> str:
        question = QUESTIONS[server.mode]
        answer = await self._until(server, question.path, question.body, self.token, HTTPStatus.OK)
        if answer.status != HTTPStatus.OK or answer.json is None:
            text = answer.body[:500].decode(errors="replace")
            raise GatewayError(f"{_name(server)} answered {answer.status}: {text}")
        return f"{_name(server)} requires a token, and answered: {text_of(answer.json)}"

    async def _until(
        self,
        server: ModelServe,
        path: str,
        body: Mapping[str, Any] | None,
        token: str,
        expected: HTTPStatus,
    ) -> GatewayAnswer:
        """The expected answer, or the last one once it isn't transient or the time is over."""
        deadline = time.monotonic() + self.wait
        while True:
            answer = await self.caller.call(f"/{server.server_id}{path}", token=token, body=body)
            if answer.status == expected or answer.status not in _TRANSIENT:
                return answer
            if time.monotonic() >= deadline:
                return answer
            await self.sleep(RETRY_SECONDS)


def text_of(answer: Any) -> str:
    """What a chat answered, or which kind of object another server returned."""
    match answer:
        case {"choices": [{"message": {"content": str(text)}}, *_]}:
            return repr(text)
        case {"object": str(kind)}:
            return f"a {kind}"
    return "JSON"


def usable(raws: Sequence[Raw]) -> list[ModelServe]:
    """The servers that are Ready, in the order of their names."""
    ready = [raw for raw in raws if (found := conditions.find(raw, "Ready")) and found.true]
    return sorted(map(ModelServe.parse, ready), key=_name)


def _name(server: ModelServe) -> str:
    return f"{server.meta.namespace}/{server.meta.name}"


def run(options: argparse.Namespace, authorities: Authorities, *, kubeconfig: str | None) -> int:
    """Check once and print the result; returns 0. Raises GatewayError or KubeError."""
    print(asyncio.run(_run(options, authorities, kubeconfig)))
    return 0


async def _run(
    options: argparse.Namespace, authorities: Authorities, kubeconfig: str | None
) -> str:
    token = _token(options)
    servers = await _servers(options.server, kubeconfig)
    caller = GatewayCaller.open(options.url, address=options.address, authorities=authorities)
    try:
        return await GatewayCheck(caller=caller, token=token, wait=options.wait).check(servers)
    finally:
        await caller.close()


async def _servers(reference: str, kubeconfig: str | None) -> list[ModelServe]:
    client = await KubeClient.connect(kubeconfig)
    try:
        if not reference:
            return usable([raw async for page in client.list(MODELSERVES) for raw in page.items])
        namespace, _, name = reference.partition("/")
        if not namespace or not name:
            raise InvalidSettings(f"--server: {reference!r} is not NAMESPACE/NAME")
        found = usable([await client.get(MODELSERVES, name, namespace)])
    finally:
        await client.close()
    if not found:
        raise GatewayError(
            f"ModelServe {reference} is not Ready: `kubectl describe` has the reason"
        )
    return found


def _token(options: argparse.Namespace) -> str:
    if options.token_file:
        return _read(options.token_file).decode(errors="replace").strip()
    return tokens.issue(
        _read(options.secret_file),
        subject=options.subject,
        audience=options.audience,
        issuer=options.issuer,
        lifetime=TOKEN_LIFETIME,
        now=utc_now(),
        claims={"groups": options.group},
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from None
