"""Creates of one tenant while another sends the most expensive objects, 8 at a time.

The sender is a separate process. Each attack is also measured without webhooks: that is the time
that the API server itself takes for such objects.
"""

import asyncio
import collections
import contextlib
import dataclasses
import json
import multiprocessing
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.synchronize import Event
from typing import Any, Final

import aiohttp

from bench.creating import Figures, open_loop
from bench.webhook_waits import Waits
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from roadstead.kube.kube_client import KubeClient
from roadstead_webhooks.admission.review import MAX_NODES, MAX_OBJECT_BYTES
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import create
from tests.support.webhooks.tokens import with_token

NAMESPACE: Final = "hostile"
OTHERS: Final = "others"
SENDERS: Final = 8
RATE: Final = 20
"""Creates of the other tenant per second."""
GOAL_MS: Final = 100.0
GOAL_SHARE: Final = 0.99
"""Of the webhooks' calls, within GOAL_MS."""
QUIET: Final = "no attack"
_BYTES: Final = MAX_OBJECT_BYTES - 8 * 1024
_VALUES: Final = MAX_NODES // 5
"""Values of a list, each of which is a key in the managed fields too."""
_STORED: Final = "large"
_PATH: Final = f"/apis/model.example.com/v1alpha1/namespaces/{NAMESPACE}/modelserves"
_JSON: Final = "application/json"
_MERGE: Final = "application/merge-patch+json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack:
    """A request that is sent repeatedly; a dry run, so that etcd is not measured."""

    name: str
    body: bytes = dataclasses.field(repr=False)
    method: str = "POST"
    path: str = _PATH
    content_type: str = _JSON


def attacks(token: str) -> Sequence[Attack]:
    """Objects of the size limit, each expensive for another step of admission, and larger ones."""
    word = "x" * 240
    last_applied = json.dumps({"metadata": {"annotations": {}}, "spec": {"a": [[]] * 14_000}})
    found = {
        "many values": _finalized(token, [f"example.com/{n}" for n in range(_VALUES)]),
        "beginnings of tokens": _serve(token, extraArgs=["aaaaaaaaa.aa." * (_BYTES // 13)]),
        "escapes": _serve(token, extraArgs=["\\" * (_BYTES // 2)]),
        "last-applied": _annotated(token, last_applied),
        "admitted": _finalized(token, _long_names()),
        "no token": _serve("", extraArgs=[word] * (_BYTES // 243)),
        "too large": _serve(token, extraArgs=[word] * 11_000),
    }
    patch = json.dumps({"metadata": {"labels": {"team": "a"}}}).encode()
    labels = Attack(
        name="labels of a large one",
        body=patch,
        method="PATCH",
        path=f"{_PATH}/{_STORED}",
        content_type=_MERGE,
    )
    bodies = {name: json.dumps(body, separators=(",", ":")) for name, body in found.items()}
    return [*(Attack(name=name, body=text.encode()) for name, text in bodies.items()), labels]


def _serve(token: str, **params: Any) -> Raw:
    body = make_modelserve(NAMESPACE, runtimeParams=params)
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "attack-"
    return with_token(body, token) if token else body


def _annotated(token: str, last_applied: str) -> Raw:
    body = _serve(token)
    key = "kubectl.kubernetes.io/last-applied-configuration"
    body["metadata"]["annotations"][key] = last_applied
    return body


def _finalized(token: str, names: list[str]) -> Raw:
    """An object that the schema accepts, so both webhooks are called; managed fields double it."""
    body = _serve(token)
    body["metadata"]["finalizers"] = names
    return body


def _long_names() -> list[str]:
    domain = ".".join(["x" * 60] * 4)
    return [f"{domain}/{n}" for n in range(_BYTES // 2 // 300)]


async def prepare(server: ApiServer) -> None:
    """Store the large object whose labels are changed, before there are webhooks."""
    body = _finalized("", _long_names())
    body["metadata"]["name"] = _STORED
    del body["metadata"]["generateName"]
    async with connect(server) as api:
        await create(api, body)


async def measure_during(
    kube: KubeClient, server: ApiServer, attacks: Sequence[Attack], token: str, count: int
) -> dict[str, Figures]:
    """Figures of the other tenant's creates, without an attack and during each."""
    found = {QUIET: await _others(kube, server, token, count)}
    for attack in attacks:
        with _attacking(server, attack) as answers:
            found[attack.name] = await _others(kube, server, token, count)
        found[attack.name]["attacksPerSecond"] = answers["perSecond"]
    return found


async def _others(kube: KubeClient, server: ApiServer, token: str, count: int) -> Figures:
    """End to end, and of it how long the API server waited for each call of the webhooks."""
    before = await Waits.read(server)
    found = await open_loop(kube, OTHERS, token, count, rate=RATE)
    after = await Waits.read(server)
    return {**found, **after.since(before, goal_seconds=GOAL_MS / 1000)}


@contextlib.contextmanager
def _attacking(server: ApiServer, attack: Attack) -> Iterator[dict[str, float]]:
    """Yields a dict that at the end has the answers per second."""
    spawn = multiprocessing.get_context("spawn")
    stop, queue = spawn.Event(), spawn.Queue()
    target = (server.url, str(server.ca), server.token)
    process = spawn.Process(target=_send_all, args=(target, attack, stop, queue), daemon=True)
    process.start()
    # Wait for the first answers, so that measurements start during the attack.
    queue.get(timeout=120)
    result: dict[str, float] = {}
    try:
        yield result
    finally:
        stop.set()
        result.update(queue.get(timeout=120))
        process.join()


def _send_all(target: tuple[str, str, str], attack: Attack, stop: Event, queue: Any) -> None:
    """Entry point of the sender's process."""
    asyncio.run(_senders(target, attack, stop, queue))


async def _senders(target: tuple[str, str, str], attack: Attack, stop: Event, queue: Any) -> None:
    url, ca, token = target
    statuses: collections.Counter[int] = collections.Counter()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca), limit=SENDERS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": attack.content_type}
    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as session:
        await _send(session, attack, statuses)
        queue.put(dict(statuses))
        statuses.clear()
        started = time.perf_counter()

        async def sender() -> None:
            while not stop.is_set():
                await _send(session, attack, statuses)

        await asyncio.gather(*(sender() for _ in range(SENDERS)))
    queue.put({"perSecond": round(statuses.total() / (time.perf_counter() - started), 1)})


async def _send(
    session: aiohttp.ClientSession, attack: Attack, statuses: collections.Counter[int]
) -> None:
    request = session.request(attack.method, f"{attack.path}?dryRun=All", data=attack.body)
    async with request as answer:
        await answer.read()
        statuses[answer.status] += 1


def summary(alone: Mapping[str, Figures], during: Mapping[str, Figures]) -> dict[str, Any]:
    """All figures; the goal applies to the worst attack."""
    worst = max((name for name in during if name != QUIET), key=lambda name: during[name]["p99"])
    p99, failed = during[worst]["p99"], sum(each["failed"] for each in during.values())
    goal = {
        "worst": worst,
        "atMost": GOAL_MS,
        "is": p99,
        "failed": failed,
        "met": p99 <= GOAL_MS and not failed,
    }
    return {
        "withoutWebhooks": dict(alone),
        "webhooks": dict(during),
        "goal": goal,
        "ownGoal": _own_goal(during),
    }


def _own_goal(during: Mapping[str, Figures]) -> dict[str, Any]:
    """The same goal for a call of a webhook, without the API server's own work."""
    worst = min(during, key=lambda name: during[name]["webhooksInTime"])
    share = during[worst]["webhooksInTime"]
    return {"worst": worst, "atLeast": GOAL_SHARE, "is": share, "met": share >= GOAL_SHARE}


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines."""
    yield f"others' creates, {RATE}/s, while one tenant sends, {SENDERS} at a time:"
    yield (
        f"{'':24} {'p50 ms':>8} {'p99 ms':>8} {'failed':>7} {'sent/s':>8}"
        f" {'a webhook: p50':>15} {'p99':>8} {'in time':>8}"
        f" {'without webhooks: p50':>22} {'p99':>8}"
    )
    for name, value in found["webhooks"].items():
        alone = found["withoutWebhooks"][name]
        yield (
            f"{name:24} {value['p50']:8.1f} {value['p99']:8.1f} {value['failed']:7.0f} "
            f"{value.get('attacksPerSecond', 0):8.1f} {value['webhooksP50']:15.1f} "
            f"{value['webhooksP99']:8.1f} {value['webhooksInTime']:8.1%} "
            f"{alone['p50']:22.1f} {alone['p99']:8.1f}"
        )
    goal, own = found["goal"], found["ownGoal"]
    yield (
        f"goal: p99 within {goal['atMost']} ms and none denied during the worst "
        f"({goal['worst']}), is {goal['is']}, {goal['failed']:.0f} denied: {_met(goal)}"
    )
    yield (
        f"goal: {own['atLeast']:.0%} of the webhooks' calls within {GOAL_MS} ms during the worst "
        f"({own['worst']}), is {own['is']:.1%}: {_met(own)}"
    )


def _met(goal: Mapping[str, Any]) -> str:
    return "met" if goal["met"] else "MISSED"
