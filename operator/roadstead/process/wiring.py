"""Builds the parts of the operator from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import cast

import yaml

from roadstead.api.llama.llama_flags import ALL_ADDRESSES, ALL_IPV4
from roadstead.api.model import Model, StoreLocation
from roadstead.api.raw import Raw
from roadstead.clocks import utc_now
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.ledger_feed import LedgerFeed, exact_now
from roadstead.controllers.model.kept_objects import KeptObjects
from roadstead.controllers.modelserve.admission_recheck import AdmissionRecheck
from roadstead.controllers.modelserve.owned_secrets import OwnedSecrets
from roadstead.controllers.modelserve.published_receipt_keys import ReceiptKeys
from roadstead.controllers.modelserve.pull_secret_copies import PullSecretCopies
from roadstead.controllers.modelserve.routing import Routes
from roadstead.controllers.modelserve.server_keys import ServerKeys
from roadstead.controllers.modelserve.store_reach import StoreReach
from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.controllers.transfers.transfer_jobs import JobRunner
from roadstead.controllers.transfers.transfer_process import ProcessRunner
from roadstead.controllers.transfers.transfer_runner import TransferRunner
from roadstead.errors import InvalidSettings
from roadstead.fence import Fence
from roadstead.gateway.probe import GatewayProbe
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.watch_cache import WatchCache
from roadstead.ledger.known_objects import KnownObject, known_objects
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.writer import LedgerWriter
from roadstead.manifests import names
from roadstead.manifests.platform import Platform, PullPolicy
from roadstead.source.quant_client import QuantClient
from roadstead.store.store_client import MinioStore
from roadstead.tokens.receipts import ReceiptVerifier


def ledger(
    settings: OperatorSettings, client: KubeClient, cache: WatchCache, fence: Fence
) -> tuple[LedgerFeed | None, LedgerWriter | None]:
    """The feed and the writer of the ledger; None without one."""
    given = settings.ledger
    if given is None:
        return None, None
    outbox = Outbox()
    feed = LedgerFeed(cache, outbox, now=exact_now, versions=client)
    writer = LedgerWriter(
        outbox,
        given.dsn_file,
        authorities=given.authorities,
        keep=given.retention,
        begin=feed.begin,
        upkeep=settings.resync,
        fence=fence,
        epoch=lambda: feed.epoch,
    )
    return feed, writer


def default_location(settings: OperatorSettings) -> StoreLocation:
    """The location of Models that name none, without a path."""
    store = settings.transfer.store
    return StoreLocation(endpoint=store.endpoint, bucket=store.bucket, path="")


def kept_objects(settings: OperatorSettings, store: MinioStore) -> KeptObjects | None:
    """The search for objects of earlier Models; None without a ledger."""
    given = settings.ledger
    if given is None:
        return None

    async def known(model: Model, target: StoreLocation) -> list[KnownObject]:
        return await known_objects(
            given.dsn_file,
            endpoint=target.endpoint,
            sha256=model.sha256,
            name=model.meta.name,
            authorities=given.authorities,
        )

    return KeptObjects(store=store, known=known)


def quant(settings: OperatorSettings) -> QuantClient | None:
    """The client of the default Quant service; None without one."""
    if not settings.quant_endpoint or settings.quant_key_file is None:
        return None
    # The administrator configures this Quant service, so the allow-list does not apply.
    return QuantClient(
        settings.quant_endpoint, settings.quant_key_file, settings.transfer.own_quant
    )


def platform(settings: OperatorSettings) -> Platform:
    """The settings that the children of all servers share."""
    return Platform(
        operator_image=settings.operator_image,
        server_image=settings.server_image,
        operator_namespace=settings.namespace,
        pull_policy=cast(PullPolicy, settings.pull_policy),
        fixed_user=settings.fixed_user,
        pull_secrets=settings.pull_secrets,
        fetch_connections=settings.fetch_connections,
        gateway_peers=tuple(_gateway_peers(settings)),
        routing=settings.gateway.routing if settings.gateway else None,
        peers=settings.peers,
        server_host=ALL_ADDRESSES if settings.ipv6 else ALL_IPV4,
        trust=settings.trust,
        devices=settings.devices,
    )


def _gateway_peers(settings: OperatorSettings) -> Iterator[Raw]:
    """The gateway's pods: all of its namespace, or only those of the chart's own gateway."""
    namespace = settings.gateway_namespace
    if not namespace:
        return
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    if settings.gateway is not None and settings.gateway.service:
        yield {**peer, "podSelector": {"matchLabels": names.GATEWAY_PODS}}
    else:
        yield peer


def pull_secrets(
    settings: OperatorSettings, client: KubeClient, *, on_change: Callable[[], None]
) -> PullSecretCopies | None:
    """The copies of image pull Secrets; None if none is to be copied."""
    sources = copied_sources(settings)
    if not sources:
        return None
    return PullSecretCopies(
        client=client,
        secrets=OwnedSecrets(client=client, clock=time.monotonic),
        namespace=settings.namespace,
        sources=sources,
        on_change=on_change,
    )


def copied_sources(settings: OperatorSettings) -> tuple[str, ...]:
    """The names of the pull Secrets that are copied for each server."""
    return tuple(each.name for each in settings.pull_secrets if each.copy)


def runner(
    settings: OperatorSettings, client: KubeClient, cache: WatchCache, fence: Fence
) -> TransferRunner:
    """The runner of transfers; raises InvalidSettings if the Jobs' template is invalid."""
    if settings.transfer_job is None:
        environ = {**settings.environ, "ROADSTEAD_LOG_FORMAT": settings.log_format}
        return ProcessRunner(environ, fence=fence)
    try:
        template = yaml.safe_load(settings.transfer_job.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        template = None
    if not isinstance(template, dict) or template.get("kind") != "Job":
        raise InvalidSettings(f"{settings.transfer_job}: is not a Job template in YAML")
    return JobRunner(client, cache, template, namespace=settings.namespace)


def receipt_keys(
    settings: OperatorSettings, client: KubeClient, *, on_read: Callable[[ReceiptVerifier], None]
) -> ReceiptKeys | None:
    """The keys of receipts; None without admission."""
    if not settings.admission:
        return None
    return ReceiptKeys(
        client,
        namespace=settings.namespace,
        name=settings.receipt_keys,
        clock=time.monotonic,
        on_read=on_read,
    )


def recheck(
    keys: ReceiptKeys | None, cache: WatchCache, usage: ContractUsage
) -> AdmissionRecheck | None:
    """The check of receipts and contracts; None without admission."""
    if keys is None:
        return None
    return AdmissionRecheck(cache=cache, keys=keys, usage=usage, clock=utc_now)


def store_reach(
    settings: OperatorSettings, client: KubeClient, cache: WatchCache, admitted: AdmittedServes
) -> StoreReach | None:
    """The NetworkPolicy for access to the embedded store; None if the chart has no policy."""
    if not settings.store_policy:
        return None
    return StoreReach(
        client=client,
        cache=cache,
        admitted=admitted,
        policy=settings.store_policy,
        namespace=settings.namespace,
    )


def gateway(
    settings: OperatorSettings, client: KubeClient, *, on_change: Callable[[str], None]
) -> tuple[ServerKeys | None, Routes | None, GatewayProbe | None]:
    """The server keys, the probes and their client; None without a gateway."""
    given = settings.gateway
    if given is None:
        return None, None, None
    key = given.key()
    probe = GatewayProbe.open(
        given.url, address=given.address, authorities=given.authorities, key=key
    )
    routes = Routes(probe=probe, clock=lambda: int(time.time()), on_change=on_change)
    return ServerKeys(client=client, key=key, clock=time.monotonic), routes, probe
