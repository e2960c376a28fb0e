"""The gateway's requests, and an endpoint with the objects that decide them."""

from __future__ import annotations

import datetime
import io
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

from roadstead.api.raw import Raw
from roadstead.forwardauth.accesslog import AccessLog
from roadstead.forwardauth.endpoint import VerifyEndpoint
from roadstead.forwardauth.server_index import Servers
from roadstead.kube.resources import MODELSERVES, NAMESPACES, RESOURCECONTRACTS
from roadstead.tokens.claims import Claims
from roadstead.tokens.gateway_keys import GatewayKey
from tests.support.builders import tokens

SERVER: Final = "3b0c1f5e-7f6f-4a2e-9d10-0d5a5a3f7f10"
OTHER: Final = "9a7d3a52-52c8-4a53-8ac1-59a8a3d2f001"
ORIGIN: Final = "https://models.example.com"
APP: Final = "https://app.example.com"
"""An origin whose pages may call servers."""
KEY: Final = GatewayKey(b"k" * 32)
NOW: Final = datetime.datetime.fromtimestamp(tokens.NOW, datetime.UTC)
CHAT: Final = "/v1/chat/completions"

Pairs = list[tuple[str, str]]


def token(subject: str = "alice", *groups: str, **claims: Any) -> str:
    """Return a token that is valid at NOW, of group `demo-users` unless groups are given."""
    return tokens.signed(
        tokens.claims(sub=subject, groups=list(groups) or ["demo-users"], **claims)
    )


def asked(
    *more: tuple[str, str], method: str = "POST", path: str = CHAT, server: str = SERVER
) -> CIMultiDictProxy[str]:
    """Return the gateway's headers for a request to a server, with `more` from the caller."""
    own = [("X-Forwarded-Method", method), ("X-Forwarded-Uri", f"/{server}{path}")]
    return CIMultiDictProxy(CIMultiDict([*own, *more]))


def bearer(text: str) -> tuple[str, str]:
    """Return the header Authorization."""
    return "Authorization", f"Bearer {text}"


class Site:
    """An endpoint in front of server `demo/gemma`, which contract `demo` lets `demo-users` use."""

    def __init__(
        self, *, contracts: bool = True, as_json: bool = True, origin: str = ORIGIN
    ) -> None:
        self.now = NOW
        self.servers = Servers()
        self.tokens = _Tokens()
        self.wrong: tuple[str, str] | None = None
        self.stream = io.StringIO()
        self.log = AccessLog(self.stream, as_json=as_json, clock=lambda: self.now)
        self._version = 0
        self.endpoint = VerifyEndpoint(
            self.tokens,
            self.servers,
            KEY,
            self.log,
            origin=origin,
            cors_origins=frozenset({APP}),
            contracts=contracts,
            unavailable=lambda: self.wrong,
            clock=lambda: self.now,
        )
        self.put_namespace()
        self.put_contract()
        self.put_server()

    def put_namespace(self, **labels: str) -> None:
        """Put namespace `demo` with these labels."""
        self.servers.put(NAMESPACES, self._object("demo", "", "ns-uid", {}, labels=labels))

    def put_contract(self, *, status: Raw | None = None, **spec: Any) -> None:
        """Put contract `demo`."""
        content = {
            "namespaces": {"names": ["demo"]},
            "authorization": {"groups": ["demo-users"]},
            "models": ["*"],
            **spec,
        }
        raw = self._object("demo", "", "contract-uid", content)
        self.servers.put(RESOURCECONTRACTS, {**raw, "status": status or {}})

    def put_server(
        self,
        contract: str = "demo",
        *,
        status: Raw | None = None,
        runtimeParams: Raw | None = None,  # noqa: N803 - as in the spec
        **meta: Any,
    ) -> None:
        """Put ModelServe `demo/gemma` with UID SERVER."""
        spec = {"modelName": "gemma", "contract": contract, "runtimeParams": runtimeParams or {}}
        raw = self._object("gemma", "demo", SERVER, spec, **meta)
        self.servers.put(MODELSERVES, {**raw, "status": status or {}})

    def _object(self, name: str, namespace: str, uid: str, spec: Raw, **meta: Any) -> Raw:
        self._version += 1
        ours = {"name": name, "namespace": namespace, "uid": uid}
        return {
            "metadata": {**ours, "resourceVersion": str(self._version), **meta},
            "spec": spec,
        }


class _Tokens:
    """A real verifier with fixed keys, which counts its calls."""

    def __init__(self) -> None:
        self.changes = 0
        self.asked = 0
        self.revoked: set[str] = set()
        self._verifier = tokens.verifier(revoked=self._why)

    async def verify(self, token: str, *, now: int) -> Claims:
        """As TrustedIssuers."""
        self.asked += 1
        return self._verifier.verify(token, now=now)

    def _why(self, claims: Claims) -> str | None:
        return "the subject's tokens are revoked" if claims.subject in self.revoked else None


async def verdict(site: Site, *headers: tuple[str, str], **question: Any) -> tuple[int, str]:
    """Return status and reason for a request to SERVER with these headers."""
    answer = await site.endpoint.answer(asked(*headers, **question), SERVER)
    return answer.verdict.status, answer.verdict.reason
