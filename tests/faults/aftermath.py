"""Conditions that must be true after any fault: its test ends with `await aftermath(...)`.

A test compares the requested state itself; this checks that nothing else has changed.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from dev.servers.apiserver import ApiServer
from roadstead.cli.ledger_commands import compare
from roadstead.kube.kube_client import KubeClient
from tests.support.audit import Write, writes
from tests.support.ledger import Ledger
from tests.support.operator.namespace import Operated
from tests.support.operator.site import Site
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

SETTLE_SECONDS: Final = 6.0
"""A write that is followed by no other for so long is the last one: a process that starts in
between may take three seconds on a loaded machine."""
SIGNATURE: Final = "X-Amz-Signature="
TABLES: Final = (
    *("server_records", "model_records", "contract_records"),
    *("status_history", "usage_samples", "admission_records"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """The environment of a fault: its servers, and the users that wrote."""

    operated: Operated
    server: ApiServer
    log: Path
    """Log of the test's operators."""
    ledger: Ledger | None = None
    users: Sequence[str] = ()
    """The operators' user names at the API server, without the test's own."""
    metrics: str = ""
    """A metrics page."""
    tokens: Sequence[str] = ()
    """More secrets that must not be stored anywhere."""


async def aftermath(scene: Scene, *, rest: float = 5.0) -> None:
    """Check everything; nothing may be written for `rest` seconds."""
    await wait_until_settled(scene)
    await check_no_writes(scene, rest)
    check_single_writer(scene)
    check_no_traceback(scene.log)
    await assert_eventually(lambda: unfinished_uploads(scene.operated.site) == [], timeout=120)
    left = staged_objects(scene.operated.site)
    assert left == [], left
    if scene.ledger is not None:
        await wait_until_equal(scene)
    await check_no_secrets(scene)


def written(scene: Scene) -> list[Write]:
    """Writes of the test's operators."""
    return writes(scene.server.audit, scene.users)


async def _written(scene: Scene) -> list[Write]:
    """The same in a thread: the log is long, and proxies of the operators run in this loop."""
    return await asyncio.to_thread(written, scene)


async def wait_until_settled(scene: Scene) -> None:
    """Wait until nothing has been written for some seconds."""
    seen, since = len(await _written(scene)), time.monotonic()

    async def quiet() -> bool:
        nonlocal seen, since
        now = len(await _written(scene))
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= SETTLE_SECONDS

    await assert_eventually(quiet, timeout=180, interval=0.5)


async def check_no_writes(scene: Scene, seconds: float) -> None:
    """Check that an unchanged cluster causes no writes."""
    before = await _written(scene)
    await asyncio.sleep(seconds)
    more = (await _written(scene))[len(before) :]
    assert more == [], more


def check_single_writer(scene: Scene) -> None:
    """Check that no process writes after another one has started to."""
    order = [each.user for each in written(scene)]
    turns = [user for place, user in enumerate(order) if place == 0 or order[place - 1] != user]
    assert len(turns) == len(set(turns)), f"several processes wrote in turns: {turns}"


def check_no_traceback(log: Path) -> None:
    """Check that the log has no unexpected exception."""
    text = log.read_text() if log.exists() else ""
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:4000]


def unfinished_uploads(site: Site) -> list[str]:
    """Unfinished multipart uploads, read from MinIO's own folder.

    Its API does not list uploads from before a restart.
    """
    folder = site.store.access_key_file.parent / "data" / ".minio.sys" / "multipart"
    return sorted(str(path.parent.relative_to(folder)) for path in folder.glob("*/*/xl.meta"))


def staged_objects(site: Site) -> list[str]:
    """Staged objects that a transfer should have moved to their target or deleted."""
    client = minio(site.store)
    objects = (
        each.object_name or ""
        for bucket in client.list_buckets()
        for each in client.list_objects(bucket.name, recursive=True)
    )
    return [name for name in objects if ".roadstead-" in name]


async def wait_until_equal(scene: Scene) -> None:
    """Wait until the ledger equals the cluster."""
    assert scene.ledger is not None
    file = scene.ledger.dsn_file("reader")
    client = await KubeClient.connect(str(scene.operated.kubeconfig))

    async def equal() -> bool:
        found = await compare(client, file)
        assert found == [], found
        return True

    try:
        await assert_eventually(equal, timeout=150)
    finally:
        await client.close()


async def check_no_secrets(scene: Scene) -> None:
    """Check that no key, token, password or signature is stored in a readable place."""
    site = scene.operated.site
    secrets = {SIGNATURE, site.store.secret_key, site.quant_key_file.read_text(), *scene.tokens}
    if scene.ledger is not None:
        secrets |= set(scene.ledger.server.passwords.values())
    places = dict(_etcd(scene.server))
    places |= {"log": scene.log.read_text() if scene.log.exists() else ""}
    places |= {"metrics": scene.metrics}
    if scene.ledger is not None:
        for table in TABLES:
            rows = await scene.ledger.rows(f"SELECT t::text AS row FROM {table} t")
            places[table] = "\n".join(row["row"] for row in rows)
    leaks = [name for name, text in places.items() if any(word in text for word in secrets)]
    assert leaks == [], leaks


def _etcd(server: ApiServer) -> Iterator[tuple[str, str]]:
    """Everything in etcd except Secrets, by key (etcd's JSON gateway, `kv/range`)."""
    everything = base64.b64encode(b"\0").decode()
    body = json.dumps({"key": everything, "range_end": everything}).encode()
    request = urllib.request.Request(f"{server.etcd_url}/v3/kv/range", data=body)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    for item in found["kvs"]:
        key = base64.b64decode(item["key"]).decode(errors="replace")
        if not key.startswith("/registry/secrets/"):
            yield key, base64.b64decode(item["value"]).decode(errors="replace")
