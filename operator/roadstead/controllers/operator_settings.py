"""Settings of `roadstead operator`."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path

from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.network_peers import ServerPeers
from roadstead.api.pull_secrets import PullSecret, read_pull_secrets
from roadstead.controllers.gateway_settings import GatewaySettings
from roadstead.controllers.lease_settings import LeaseSettings
from roadstead.ledger.ledger_settings import LedgerSettings
from roadstead.listeners import ALL_ADDRESSES
from roadstead.manifests.platform import TrustMode
from roadstead.settings import EnvReader
from roadstead.source.allowlist import AllowList
from roadstead.transfer.transfer_settings import TransferSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatorSettings:
    """The settings of the operator; `kubeconfig` is empty in a pod."""

    transfer: TransferSettings
    environ: Mapping[str, str] = dataclasses.field(repr=False)
    """The environment of transfer processes."""
    namespace: str
    kubeconfig: str
    instance: str
    """The name of this pod, in Events."""
    quant_endpoint: str
    """The default Quant service; empty without one."""
    operator_image: str
    server_image: str
    pull_policy: str
    pull_secrets: tuple[PullSecret, ...]
    fixed_user: bool
    """Whether servers' pods set their user; False if the cluster assigns it, as OpenShift does."""
    fetch_connections: int
    gateway_namespace: str
    peers: ServerPeers
    """Who else may call servers, and whom their pods may call."""
    store_policy: str
    """The chart's NetworkPolicy of the embedded store; empty: the store is not restricted."""
    gateway: GatewaySettings | None
    """None: servers are reachable only within the cluster."""
    url_lifetime: datetime.timedelta
    """The lifetime of a pod's presigned URL, which is renewed at half of it."""
    transfers: int
    """The number of concurrent transfers."""
    transfer_job: Path | None
    """The template of the transfers' Jobs; None: transfers are child processes."""
    resync: float
    """Seconds between two reconciles of every object."""
    lease: LeaseSettings | None
    """None: there is only one replica."""
    ledger: LedgerSettings | None
    """None: nothing is recorded."""
    usage: int
    """Seconds between two measurements of usage; 0: usage is not measured."""
    kubelet_ca_file: str
    """The authority of the kubelets' certificates; empty: the API server's."""
    ipv6: bool
    """Whether IPv6 is the cluster's first family, as the address of its API server shows."""
    http_host: str
    http_port: int
    admission: bool
    """Whether there are webhooks; then nothing runs without a receipt and a contract."""
    receipt_keys: str
    """The ConfigMap in `namespace` with the public keys of receipts."""
    log_format: str
    log_level: str
    devices: DeviceNames = DEFAULT_DEVICES
    """Which resources count as devices in contracts."""

    @property
    def allow(self) -> AllowList:
        """The addresses that models may be downloaded from."""
        return self.transfer.allow

    @property
    def trust(self) -> TrustMode | None:
        """How the private authorities are trusted; None without any."""
        authorities = self.transfer.store.authorities
        if authorities.file is None:
            return None
        return "add" if authorities.system else "replace"

    @property
    def quant_key_file(self) -> Path | None:
        """The key that signs the operator's tokens for the Quant service."""
        return self.transfer.quant_key_file

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> OperatorSettings:
        """Read the environment; raises InvalidSettings with all faults."""
        env = EnvReader(environ)
        day = 24 * 3600
        settings = cls(
            transfer=TransferSettings.read(env),
            environ=environ,
            namespace=env.text("ROADSTEAD_NAMESPACE", "roadstead-system"),
            kubeconfig=env.text("KUBECONFIG", ""),
            instance=env.text("HOSTNAME", "roadstead"),
            quant_endpoint=env.url("ROADSTEAD_QUANT_ENDPOINT", ""),
            operator_image=env.text("ROADSTEAD_OPERATOR_IMAGE"),
            server_image=env.text("ROADSTEAD_SERVER_IMAGE"),
            pull_policy=env.choice(
                "ROADSTEAD_IMAGE_PULL_POLICY", ("IfNotPresent", "Always", "Never"), "IfNotPresent"
            ),
            pull_secrets=read_pull_secrets(env, "ROADSTEAD_SERVER_PULL_SECRETS"),
            fixed_user=env.choice("ROADSTEAD_POD_USER", ("fixed", "assigned"), "fixed") == "fixed",
            fetch_connections=env.integer("ROADSTEAD_FETCH_CONNECTIONS", 3, high=8),
            gateway_namespace=env.text("ROADSTEAD_GATEWAY_NAMESPACE", ""),
            peers=ServerPeers.read(env),
            store_policy=env.text("ROADSTEAD_STORE_POLICY", ""),
            gateway=GatewaySettings.read(env),
            url_lifetime=datetime.timedelta(
                seconds=env.integer("ROADSTEAD_FETCH_URL_TTL_SECONDS", 1800, low=600, high=3000)
            ),
            transfers=env.integer("ROADSTEAD_TRANSFER_CONCURRENCY", 2, high=64),
            transfer_job=_transfer_job(env),
            resync=env.integer("ROADSTEAD_RESYNC_SECONDS", 600, low=10, high=day),
            lease=LeaseSettings.read(env),
            ledger=LedgerSettings.read(env),
            usage=env.integer("ROADSTEAD_USAGE_SECONDS", 15, low=0, high=3600),
            kubelet_ca_file=env.text("ROADSTEAD_KUBELET_CA_FILE", ""),
            ipv6=":" in env.text("KUBERNETES_SERVICE_HOST", ""),
            http_host=env.text("ROADSTEAD_HTTP_HOST", ALL_ADDRESSES),
            http_port=env.integer("ROADSTEAD_HTTP_PORT", 8080, low=0, high=65535),
            admission=env.choice("ROADSTEAD_ADMISSION", ("required", "off"), "required")
            == "required",
            receipt_keys=env.text("ROADSTEAD_RECEIPT_KEYS", "roadstead-receipt-keys"),
            log_format=env.log_format("json"),
            log_level=env.log_level(),
            devices=DeviceNames.read(env),
        )
        env.done()
        return settings


def _transfer_job(env: EnvReader) -> Path | None:
    runner = env.choice("ROADSTEAD_TRANSFER_RUNNER", ("process", "job"), "process")
    template = env.file("ROADSTEAD_TRANSFER_JOB_TEMPLATE", "/etc/roadstead/transfer/job.yaml")
    return template if runner == "job" else None
