"""`roadstead forward-auth` as a child process, and a client that acts as the gateway."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jwt

from dev.console.tokens import AUDIENCE, ISSUER, SECRET, make_claims
from dev.servers import process
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, free_ports
from roadstead.tokens.gateway_keys import GatewayKey
from tests.support.builders.key_sets import document, entry
from tests.support.builders.tokens import prefixes, private_key

SYSTEM = "forward-auth-system"
REVOCATIONS = "roadstead-revocations"
ORIGIN = "https://models.example.com"
KEY = GatewayKey(b"k" * 48)
JWKS_ISSUER = "https://keys.example.com"
JWKS_PREFIX = "keys:"
"""Prefix of JWKS_ISSUER's names; those of ISSUER have none."""
CHAT = "/v1/chat/completions"
START_DEADLINE_SECONDS = 120.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder:
    """Configuration and logs of forward auth."""

    path: Path

    def publish(self, kid: str) -> None:
        """Publish the key with this id as the only one of the second issuer."""
        published = document(entry("RS256", kid, kid=kid))
        fresh = self.path / "jwks.new"
        fresh.write_bytes(published)
        fresh.rename(self.path / "jwks.json")


def prepare(path: Path) -> Folder:
    """Create the gateway's key, and a secret and a key set of one issuer each."""
    folder = Folder(path=path)
    (path / "key").write_bytes(KEY.secret)
    (path / "secret").write_bytes(SECRET)
    folder.publish("first")
    keyed = {"issuer": JWKS_ISSUER, "audience": AUDIENCE, "jwksFile": "jwks.json"}
    issuers = [
        {"issuer": ISSUER, "audience": AUDIENCE, "secretFile": "secret", **prefixes("")},
        {**keyed, **prefixes(JWKS_PREFIX)},
    ]
    (path / "issuers.json").write_text(json.dumps(issuers))
    return folder


def make_keyed_token(kid: str) -> str:
    """A token of JWKS_ISSUER for its `demo-users`, signed with the key of this id."""
    key = private_key("RS256", kid)
    claims = make_claims("alice", iss=JWKS_ISSUER)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthAnswer:
    """An answer of forward auth."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The error code in the format of the OpenAI API; empty without an error."""
        return str(json.loads(self.body)["error"]["code"]) if self.body else ""


class Gateway:
    """One persistent connection: if the server closes it, the next request fails."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        self._connection.auto_open = 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(
        self, uuid: str, token: str = "", *, method: str = "POST", path: str = CHAT, **headers: str
    ) -> AuthAnswer:
        """Send the request about a caller's request, as Traefik does."""
        own = {"X-Forwarded-Method": method, "X-Forwarded-Uri": f"/{uuid}{path}", **headers}
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection.request("GET", f"/verify/{uuid}", headers={**own, **shown})
        answer = self._connection.getresponse()
        return AuthAnswer(status=answer.status, headers=answer.headers, body=answer.read())


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthProcess:
    """A running forward auth: its ports, log and process."""

    port: int
    probe_port: int
    log: Path
    process: subprocess.Popen[bytes] = dataclasses.field(repr=False)

    @property
    def ready(self) -> bool:
        """Whether its readiness probe succeeds."""
        return answers(f"http://127.0.0.1:{self.probe_port}/readyz")

    def metrics(self) -> str:
        """Its metrics page."""
        url = f"http://127.0.0.1:{self.probe_port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode())

    def ask(self, uuid: str, token: str = "", **more: str) -> AuthAnswer:
        """Send one request on a new connection."""
        with contextlib.closing(Gateway(self.port)) as gateway:
            return gateway.ask(uuid, token, **more)

    def status(self, uuid: str, token: str = "") -> int:
        """The status of one request on a new connection."""
        return self.ask(uuid, token).status


@contextlib.contextmanager
def running_auth(
    server: ApiServer, folder: Folder, *, name: str, probe: str = "readyz", **environ: str
) -> Iterator[AuthProcess]:
    """Run forward auth, whose `probe` succeeds, until the block ends; SIGTERM stops it."""
    port, probe_port = free_ports(2)
    settings = {
        "KUBECONFIG": str(server.kubeconfig),
        "ROADSTEAD_NAMESPACE": SYSTEM,
        "ROADSTEAD_REVOCATIONS": REVOCATIONS,
        "ROADSTEAD_HTTP_HOST": "127.0.0.1",
        "ROADSTEAD_HTTP_PORT": str(port),
        "ROADSTEAD_PROBE_PORT": str(probe_port),
        "ROADSTEAD_GATEWAY_KEY_FILE": str(folder.path / "key"),
        "ROADSTEAD_GATEWAY_URL": ORIGIN,
        "ROADSTEAD_TOKEN_ISSUERS_FILE": str(folder.path / "issuers.json"),
        "ROADSTEAD_SHUTDOWN_GRACE_SECONDS": "1",
        "ROADSTEAD_LOG_LEVEL": "debug",
        **environ,
    }
    log = folder.path / f"auth-{name}.log"
    with process.running(
        "forward auth",
        [sys.executable, "-m", "roadstead", "forward-auth"],
        log,
        functools.partial(answers, f"http://127.0.0.1:{probe_port}/{probe}"),
        seconds=START_DEADLINE_SECONDS,
        env={**os.environ, **settings},
    ) as started:
        yield AuthProcess(port=port, probe_port=probe_port, log=log, process=started)
