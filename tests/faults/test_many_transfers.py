"""Two hundred Models that are created at the same time, some of which fail permanently."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.aio import client

from roadstead.api.model import StoreLocation
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from tests.support.operator.namespace import Operated, condition, list_all
from tests.support.operator.operator_process import operator_process
from tests.support.operator.site import Site
from tests.support.peak_usage import sampling_peak
from tests.support.waiting import assert_eventually

MODELS = 200
FAILING = 20
CONCURRENCY = 4
CONNECTIONS = 2
PER_TRANSFER = CONNECTIONS + 1
"""Connections of its workers, and one that reads an object's metadata or starts an upload."""
OPERATOR = 20
RSS_MIB = 1024


@pytest.mark.fault("R9", heals="other transfers are not affected")
@pytest.mark.long
@pytest.mark.timeout(900)
async def test_two_hundred_transfers_run_a_few_at_a_time_despite_failures(
    operated: Operated, tmp_path: Path
) -> None:
    known = operated.site.publish()
    environ = operated.site.environ(
        operated.kubeconfig,
        ROADSTEAD_TRANSFER_CONCURRENCY=str(CONCURRENCY),
        ROADSTEAD_TRANSFER_CONNECTIONS=str(CONNECTIONS),
    )
    port = urlsplit(operated.site.store.endpoint).port or 0
    async with operator_process(environ, tmp_path / "operator.log") as process:
        with sampling_peak(process.pid, port) as peak:
            await _create_at_once(operated, known)
            await assert_eventually(lambda: _settled(operated.api), timeout=800, interval=2)
        assert peak.transfers <= CONCURRENCY
        assert peak.connections <= CONCURRENCY * PER_TRANSFER + OPERATOR
        assert peak.rss_mib <= RSS_MIB
        for model in await list_all(operated.api, "models"):
            assert not _left(operated.site, model["status"])


async def _create_at_once(operated: Operated, known: str) -> None:
    every = MODELS // FAILING
    ids = ["unknown" if place % every == 0 else known for place in range(MODELS)]
    await asyncio.gather(*(operated.model(source={"quant": {"modelId": each}}) for each in ids))


async def _settled(api: client.ApiClient) -> bool:
    """Whether every Model is verified or unknown to the Quant service."""
    found = [condition(each, "Stored").get("reason") for each in await list_all(api, "models")]
    assert (found.count("Stored"), found.count("ModelUnknown")) == (MODELS - FAILING, FAILING)
    return True


def _left(site: Site, status: dict[str, str]) -> tuple[str, ...]:
    """Uploads that were never completed."""
    access = StoreAccess(
        endpoint=site.store.endpoint,
        bucket=status["minioBucket"],
        region="us-east-1",
        access_key_file=site.store.access_key_file,
        secret_key_file=site.store.secret_key_file,
    )
    where = StoreLocation(endpoint=access.endpoint, bucket=access.bucket, path=status["minioPath"])
    return Multipart(access).list_unfinished(where)
