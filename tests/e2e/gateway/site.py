"""The gateway as clients see it: an address, the CA of its certificate, tokens."""

import base64
import datetime
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dev.demo.installation import NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from roadstead import tokens

LIFETIME = datetime.timedelta(minutes=55)
"""A server and its token are used by all tests of a process; over an hour is refused."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Its address and CA, from the chart's values."""

    url: str
    ca: Path

    @classmethod
    def of(cls, cluster: Cluster, folder: Path) -> "Gateway":
        """The installed gateway; its CA certificate is written to `folder`."""
        gateway = values(cluster)["gateway"]
        ca = folder / "gateway-ca.pem"
        ca.write_text(gateway["caBundle"])
        return cls(url=gateway["url"], ca=ca)

    @property
    def host(self) -> str:
        """The host name in the certificate and the routes."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port; 443 if the URL has none."""
        return urlsplit(self.url).port or 443

    def tls(self, *protocols: str) -> ssl.SSLContext:
        """A context that trusts only this gateway; `protocols` are offered by ALPN."""
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(protocols) or ["http/1.1"])
        return context


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """The chart's own issuer of tokens, with its secret."""

    name: str
    audience: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, cluster: Cluster) -> "Issuer":
        """With the secret that the chart created or was configured with."""
        local = values(cluster)["tokens"]["local"]
        name = local["existingSecret"] or f"{RELEASE}-jwt"
        found = cluster.get("-n", NAMESPACE, "secret", name)
        assert found is not None, f"no Secret {name}"
        secret = base64.b64decode(found["data"]["secret"])
        return cls(name=local["issuer"], audience=local["audience"], secret=secret)

    def token(self, subject: str, *groups: str, age: int = 0, **claims: Any) -> str:
        """A token for less than an hour that was issued `age` seconds ago."""
        issued = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
        return tokens.issue(
            self.secret,
            subject=subject,
            audience=claims.pop("aud", self.audience),
            issuer=claims.pop("iss", self.name),
            lifetime=LIFETIME,
            now=issued,
            claims={"groups": list(groups), **claims},
        )


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server behind the gateway, and a token that may use it."""

    uid: str
    url: str
    """`https://host[:port]/<uid>`, from its status."""
    namespace: str
    name: str
    token: str = field(repr=False)


def values(cluster: Cluster) -> Mapping[str, Any]:
    """The installed chart's values, including defaults."""
    command = ("get", "values", RELEASE, "--namespace", NAMESPACE, "--all", "--output", "json")
    found: dict[str, Any] = json.loads(cluster.install(*command))
    return found
