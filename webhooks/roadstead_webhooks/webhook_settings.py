"""Settings of `roadstead webhooks`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from roadstead.api.contract.devices import DeviceNames
from roadstead.issuers.issuer_settings import TokenSettings
from roadstead.ledger.ledger_settings import LedgerSettings
from roadstead.listeners import ALL_ADDRESSES
from roadstead.settings import EnvReader
from roadstead_webhooks.admission.facts import MemoryFit, Rules
from roadstead_webhooks.admission.restorers import read_restorers
from roadstead_webhooks.admission.service_accounts import read_accounts, user_name
from roadstead_webhooks.certificates.keeper import Places

_NAMES_MISSING: Final = (
    "is not set: set it to the common names of the API server's client certificates, "
    "since the same authority may sign certificates of other clients"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Settings of the webhooks; `kubeconfig` is empty in a pod."""

    tokens: TokenSettings
    rules: Rules
    namespace: str
    kubeconfig: str
    instance: str
    """The name of this pod, for Events."""
    host: str
    port: int
    """The HTTPS port, for the API server."""
    probe_port: int
    """The HTTP port of /healthz and /readyz."""
    http_port: int
    """The HTTP port of /metrics."""
    tls_folder: Path
    receipts_folder: Path
    paths_folder: Path
    """The folder of the secrets in the webhooks' paths; not read with `api_server_ca`."""
    api_server_ca: Path | None
    """PEM certificates that verify the API server's client certificate; None without one."""
    api_server_names: frozenset[str]
    """The common names that the client certificate may have."""
    revocations: str
    """The ConfigMap of revoked tokens, in `namespace`."""
    grace: float
    """Seconds that requests are still accepted after SIGTERM, until no endpoint has this pod."""
    log_format: str
    log_level: str
    ledger: LedgerSettings | None = None
    """None: answers are not recorded."""
    keeping: Places | None = None
    """The keys and certificates to create and renew; None if all are given."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> WebhookSettings:
        """Read the environment; raises InvalidSettings.

        The error lists the faults of the issuers' settings, or, without any, all other faults.
        """
        env = EnvReader(environ)
        namespace = env.text("ROADSTEAD_NAMESPACE", "roadstead-system")
        operator = user_name(namespace, "roadstead-operator")
        groups = env.names("ROADSTEAD_ADMIN_GROUPS") or ("roadstead-admins",)
        fit = env.choice("ROADSTEAD_MEMORY_FIT", ("Off", "Warn", "Deny"), "Warn")
        rules = Rules(
            admin_groups=frozenset(groups),
            operator=env.text("ROADSTEAD_OPERATOR_USERNAME", operator),
            devices=DeviceNames.read(env),
            memory_fit=cast(MemoryFit, fit),
            accounts=read_accounts(env),
            restorers=read_restorers(env),
        )
        tls = env.file("ROADSTEAD_TLS_DIR", "/etc/roadstead/tls")
        receipts = env.file("ROADSTEAD_RECEIPT_KEYS_DIR", "/etc/roadstead/receipt-keys")
        paths = env.file("ROADSTEAD_REVIEW_PATHS_DIR", "/etc/roadstead/review-paths")
        ca = env.text("ROADSTEAD_API_SERVER_CA_FILE", "")
        names = frozenset(env.items("ROADSTEAD_API_SERVER_NAMES"))
        if ca and not names:
            env.fault("ROADSTEAD_API_SERVER_NAMES", _NAMES_MISSING)
        settings = cls(
            tokens=TokenSettings.from_env(environ),
            rules=rules,
            namespace=namespace,
            kubeconfig=env.text("KUBECONFIG", ""),
            instance=env.text("HOSTNAME", "roadstead-webhooks"),
            host=env.text("ROADSTEAD_HTTP_HOST", ALL_ADDRESSES),
            port=env.integer("ROADSTEAD_HTTPS_PORT", 8443, low=0, high=65535),
            probe_port=env.integer("ROADSTEAD_PROBE_PORT", 8081, low=0, high=65535),
            http_port=env.integer("ROADSTEAD_HTTP_PORT", 8080, low=0, high=65535),
            tls_folder=tls,
            receipts_folder=receipts,
            paths_folder=paths,
            api_server_ca=Path(ca) if ca else None,
            api_server_names=names,
            revocations=env.text("ROADSTEAD_REVOCATIONS", "roadstead-revocations"),
            grace=env.integer("ROADSTEAD_SHUTDOWN_GRACE_SECONDS", 10, low=0, high=600),
            log_format=env.log_format("json"),
            log_level=env.log_level(),
            ledger=LedgerSettings.read(env),
            keeping=Places.read(env, namespace=namespace, tls=tls, receipts=receipts, paths=paths),
        )
        env.done()
        return settings
