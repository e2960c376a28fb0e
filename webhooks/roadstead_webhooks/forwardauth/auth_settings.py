"""Settings of `roadstead forward-auth`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from roadstead import logs
from roadstead.issuers.issuer_settings import TokenSettings
from roadstead.settings import EnvReader
from roadstead.tokens.sessions import origin_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForwardAuthSettings:
    """What forward auth needs to know; `kubeconfig` is empty in a pod."""

    tokens: TokenSettings
    key_file: Path
    """The key that is shared with the operator."""
    origin: str
    """The console's, as browsers write it: `https://models.example.com`. Its session counts for
    what its pages fetch. Empty where it has a host of its own: there no session counts."""
    cors_origins: frozenset[str]
    """Origins whose pages may read answers from a browser, as browsers write them."""
    contracts: bool
    """Whether a server's contract decides; else every token that holds opens every server."""
    namespace: str
    revocations: str
    """The ConfigMap of revoked tokens, in `namespace`."""
    kubeconfig: str
    host: str
    port: int
    """Of /verify, for the gateway."""
    probe_port: int
    """Of probes and metrics."""
    max_staleness: float
    """Seconds without a word of the API server after which nobody is let through."""
    grace: float
    """Seconds that requests are still taken after SIGTERM, until no endpoint leads here."""
    log_format: str
    log_level: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ForwardAuthSettings:
        """Read the environment; raises InvalidSettings.

        It names the faults of the issuers' settings, or, if there are none, all other faults.
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
            host=env.text("ROADSTEAD_HTTP_HOST", "0.0.0.0"),  # noqa: S104 - the gateway and probes come from the node
            port=env.integer("ROADSTEAD_HTTP_PORT", 8080, low=0, high=65535),
            probe_port=env.integer("ROADSTEAD_PROBE_PORT", 8081, low=0, high=65535),
            max_staleness=env.integer("ROADSTEAD_MAX_STALENESS_SECONDS", 300, low=5, high=86_400),
            grace=env.integer("ROADSTEAD_SHUTDOWN_GRACE_SECONDS", 10, low=0, high=600),
            log_format=env.choice("ROADSTEAD_LOG_FORMAT", logs.FORMS, "json"),
            log_level=env.choice("ROADSTEAD_LOG_LEVEL", logs.LEVELS, "info"),
        )
        env.done()
        return settings


def _origin(env: EnvReader) -> str:
    shared = origin_of(env.url("ROADSTEAD_GATEWAY_URL"))
    return "" if env.url("ROADSTEAD_CONSOLE_URL", "") else shared
