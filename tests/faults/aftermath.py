"""What must hold after any fault, whatever it was: a test of one ends with `await aftermath(...)`.

What was asked for is the test's own to compare; this is what nobody asked for.
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
from roadstead.controllers.ledger_verification import compare
from roadstead.kube.kube_client import KubeClient
from tests.support.audit import Write, writes
from tests.support.ledger import Ledger
from tests.support.operator.namespace import Operated
from tests.support.operator.site import Site
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

SETTLE_SECONDS: Final = 6.0
"""What has not been followed by another write for so long is the last one: a process that starts in
between may take three on a busy machine."""
SIGNATURE: Final = "X-Amz-Signature="
TABLES: Final = (
    *("server_records", "model_records", "contract_records"),
    *("status_history", "usage_samples", "admission_records"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """Where a fault was: its servers, and who wrote."""

    operated: Operated
    server: ApiServer
    log: Path
    """What the operators of the test said."""
    ledger: Ledger | None = None
    users: Sequence[str] = ()
    """The operators' names at the API server: not the test's own."""
    metrics: str = ""
    """A page of metrics."""
    tokens: Sequence[str] = ()
    """Further words that may stand nowhere."""


async def aftermath(scene: Scene, *, rest: float = 5.0) -> None:
    """All of it; `rest` is how many seconds nothing may be written."""
    await settled(scene)
    await nothing_written(scene, rest)
    one_at_a_time(scene)
    no_exception(scene.log)
    await assert_eventually(lambda: uploads(scene.operated.site) == [], timeout=120)
    left = staged(scene.operated.site)
    assert left == [], left
    if scene.ledger is not None:
        await agrees(scene)
    await no_secrets(scene)


def written(scene: Scene) -> list[Write]:
    """By the operators of the test."""
    return writes(scene.server.audit, scene.users)


async def _written(scene: Scene) -> list[Write]:
    """The same, in a thread: the log is long, and proxies that operators ask are in this loop."""
    return await asyncio.to_thread(written, scene)


async def settled(scene: Scene) -> None:
    """Wait until nothing has been written for a moment."""
    seen, since = len(await _written(scene)), time.monotonic()

    async def quiet() -> bool:
        nonlocal seen, since
        now = len(await _written(scene))
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= SETTLE_SECONDS

    await assert_eventually(quiet, timeout=180, interval=0.5)


async def nothing_written(scene: Scene, seconds: float) -> None:
    """A cluster that nobody changes is left alone."""
    before = await _written(scene)
    await asyncio.sleep(seconds)
    more = (await _written(scene))[len(before) :]
    assert more == [], more


def one_at_a_time(scene: Scene) -> None:
    """Nobody wrote after another one had begun to."""
    order = [each.user for each in written(scene)]
    turns = [user for place, user in enumerate(order) if place == 0 or order[place - 1] != user]
    assert len(turns) == len(set(turns)), f"they took turns: {turns}"


def no_exception(log: Path) -> None:
    """Whatever went wrong was expected to."""
    text = log.read_text() if log.exists() else ""
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:4000]


def uploads(site: Site) -> list[str]:
    """Unfinished multipart uploads, looked for where MinIO keeps them.

    Its list of them forgets those from before a restart.
    """
    folder = site.store.access_key_file.parent / "data" / ".minio.sys" / "multipart"
    return sorted(str(path.parent.relative_to(folder)) for path in folder.glob("*/*/xl.meta"))


def staged(site: Site) -> list[str]:
    """Objects beside a target that a transfer should have put in its place, or removed."""
    client = minio(site.store)
    objects = (
        each.object_name or ""
        for bucket in client.list_buckets()
        for each in client.list_objects(bucket.name, recursive=True)
    )
    return [name for name in objects if ".roadstead-" in name]


async def agrees(scene: Scene) -> None:
    """The ledger has what the cluster has."""
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


async def no_secrets(scene: Scene) -> None:
    """No key, token, password or signature stands where it could be read."""
    site = scene.operated.site
    words = {SIGNATURE, site.store.secret_key, site.quant_key_file.read_text(), *scene.tokens}
    if scene.ledger is not None:
        words |= set(scene.ledger.server.passwords.values())
    places = dict(_etcd(scene.server))
    places |= {"log": scene.log.read_text() if scene.log.exists() else ""}
    places |= {"metrics": scene.metrics}
    if scene.ledger is not None:
        for table in TABLES:
            rows = await scene.ledger.rows(f"SELECT t::text AS row FROM {table} t")
            places[table] = "\n".join(row["row"] for row in rows)
    told = [name for name, text in places.items() if any(word in text for word in words)]
    assert told == [], told


def _etcd(server: ApiServer) -> Iterator[tuple[str, str]]:
    """Everything that etcd holds but Secrets, by key (etcd's JSON gateway, `kv/range`)."""
    everything = base64.b64encode(b"\0").decode()
    body = json.dumps({"key": everything, "range_end": everything}).encode()
    request = urllib.request.Request(f"{server.etcd_url}/v3/kv/range", data=body)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found = json.load(answer)
    for item in found["kvs"]:
        key = base64.b64decode(item["key"]).decode(errors="replace")
        if not key.startswith("/registry/secrets/"):
            yield key, base64.b64decode(item["value"]).decode(errors="replace")
