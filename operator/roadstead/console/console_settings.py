"""Settings of `roadstead console`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from roadstead.console.auth.provider import ProviderSettings
from roadstead.console.servers_host import ServersHost
from roadstead.issuers.issuer_settings import TokenSettings
from roadstead.listeners import ALL_ADDRESSES
from roadstead.settings import EnvReader
from roadstead.tokens.sessions import origin_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """The settings of the console; `kubeconfig` is empty in a pod."""

    tokens: TokenSettings
    admin_groups: frozenset[str]
    """The groups whose members see everything."""
    contracts: bool
    """Whether contracts limit what users see; otherwise every valid token sees everything."""
    dsn_file: Path
    """The DSN of the ledger's reader."""
    origin: str
    """The console's origin as browsers send it: `https://models.example.com`."""
    servers: ServersHost
    """The host of the servers."""
    at_addresses: bool
    """Whether the route of a server's address leads browsers to its page in the console."""
    namespace: str
    revocations: str
    """The ConfigMap of revoked tokens and ended sessions, in `namespace`."""
    provider: ProviderSettings | None
    """The OpenID provider; None if users only paste tokens."""
    kubeconfig: str
    host: str
    port: int
    """The port of the pages, for the gateway."""
    probe_port: int
    """The port of probes and metrics."""
    poll: float
    """Seconds after which pages refresh without a notification."""
    grace: float
    """Seconds of serving after SIGTERM, until endpoints are updated."""
    log_format: str
    log_level: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ConsoleSettings:
        """Read the environment; raises InvalidSettings.

        The error lists the faults of the issuers' settings, or, if there are none, all others.
        """
        env = EnvReader(environ)
        console_url = env.url("ROADSTEAD_CONSOLE_URL", "")
        tokens = TokenSettings.from_env(environ)
        servers = ServersHost.read(env, console_url=console_url)
        admission = env.choice("ROADSTEAD_ADMISSION", ("required", "off"), "required")
        settings = cls(
            tokens=tokens,
            admin_groups=frozenset(env.names("ROADSTEAD_ADMIN_GROUPS") or ("roadstead-admins",)),
            contracts=admission == "required",
            dsn_file=env.file("ROADSTEAD_LEDGER_DSN_FILE"),
            origin=origin_of(console_url or servers.url),
            servers=servers,
            at_addresses=env.choice("ROADSTEAD_GATEWAY_KIND", ("traefik", "gateway-api"), "traefik")
            == "traefik",
            namespace=env.text("ROADSTEAD_NAMESPACE", "roadstead-system"),
            revocations=env.text("ROADSTEAD_REVOCATIONS", "roadstead-revocations"),
            provider=ProviderSettings.read(env, otherwise=tokens.authorities),
            kubeconfig=env.text("KUBECONFIG", ""),
            host=env.text("ROADSTEAD_HTTP_HOST", ALL_ADDRESSES),
            port=env.integer("ROADSTEAD_HTTP_PORT", 8080, low=0, high=65535),
            probe_port=env.integer("ROADSTEAD_PROBE_PORT", 8081, low=0, high=65535),
            poll=env.integer("ROADSTEAD_CONSOLE_POLL_SECONDS", 30, low=5, high=3600),
            grace=env.integer("ROADSTEAD_SHUTDOWN_GRACE_SECONDS", 10, low=0, high=600),
            log_format=env.log_format("json"),
            log_level=env.log_level(),
        )
        settings._check(env)
        env.done()
        return settings

    def _check(self, env: EnvReader) -> None:
        issuers = {each.issuer for each in self.tokens.issuers}
        if self.provider and self.provider.issuer not in issuers:
            message = "is not an issuer in ROADSTEAD_TOKEN_ISSUERS_FILE"
            env.fault("ROADSTEAD_CONSOLE_OIDC_ISSUER", message)
