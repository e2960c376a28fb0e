"""Settings of `roadstead forward-auth`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from roadstead.issuers.issuer_settings import TokenSettings
from roadstead.listeners import ALL_ADDRESSES
from roadstead.settings import EnvReader
from roadstead.tokens.sessions import origin_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForwardAuthSettings:
    """Settings of forward auth; `kubeconfig` is empty in a pod."""

    tokens: TokenSettings
    key_file: Path
    """The file with the key that forward auth shares with the operator."""
    origin: str
    """The console's origin, as browsers write it: `https://models.example.com`. Sessions are valid
    for requests of the console's pages. Empty if the console has its own host: then sessions are
    not valid here."""
    cors_origins: frozenset[str]
    """Origins whose pages may read answers from a browser, as browsers write them."""
    contracts: bool
    """Whether contracts are checked; else every valid token is allowed at every server."""
    namespace: str
    revocations: str
    """The ConfigMap of revoked tokens, in `namespace`."""
    kubeconfig: str
    host: str
    port: int
    """The port of /verify, for the gateway."""
    probe_port: int
    """The port of probes and metrics."""
    max_staleness: float
    """Seconds without a response of the API server after which every request is rejected."""
    grace: float
    """Seconds that requests are still accepted after SIGTERM, until no endpoint has this pod."""
    log_format: str
    log_level: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ForwardAuthSettings:
        """Read the environment; raises InvalidSettings.

        The error lists the faults of the issuers' settings, or, without any, all other faults.
        """
        env = EnvReader(environ)
        admission = env.choice("ROADSTEAD_ADMISSION", ("required", "off"), "required")
        settings = cls(
            tokens=TokenSettings.from_env(environ),
            key_file=env.file("ROADSTEAD_GATEWAY_KEY_FILE", "/etc/roadstead/gateway/key"),
            origin=_origin(env),
            cors_origins=frozenset(env.origins("ROADSTEAD_GATEWAY_CORS_ORIGINS")),
            contracts=admission == "required",
            namespace=env.text("ROADSTEAD_NAMESPACE", "roadstead-system"),
            revocations=env.text("ROADSTEAD_REVOCATIONS", "roadstead-revocations"),
            kubeconfig=env.text("KUBECONFIG", ""),
            host=env.text("ROADSTEAD_HTTP_HOST", ALL_ADDRESSES),
            port=env.integer("ROADSTEAD_HTTP_PORT", 8080, low=0, high=65535),
            probe_port=env.integer("ROADSTEAD_PROBE_PORT", 8081, low=0, high=65535),
            max_staleness=env.integer("ROADSTEAD_MAX_STALENESS_SECONDS", 300, low=10, high=86_400),
            grace=env.integer("ROADSTEAD_SHUTDOWN_GRACE_SECONDS", 10, low=0, high=600),
            log_format=env.log_format("json"),
            log_level=env.log_level(),
        )
        env.done()
        return settings


def _origin(env: EnvReader) -> str:
    shared = origin_of(env.url("ROADSTEAD_GATEWAY_URL"))
    return "" if env.url("ROADSTEAD_CONSOLE_URL", "") else shared
