"""Callers don't notice rollouts.

The caller here does what HTTP libraries do: if a reused connection turns out to be closed, it sends
the request once more on a new one, but only an idempotent request (RFC 9110, section 9.2.2). A
failed new connection and any error of the gateway count as lost.
"""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.conftest import RUNTIME, TRAEFIK_NAMESPACE, apply
from tests.e2e.gateway.connection import Answer, Connection, Unanswered, ask
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.gateway.test_streaming import completion, pieces
from tests.e2e.repeating import Repeatedly
from tests.e2e.serves import Serves
from tests.support.waiting import wait_until

FORWARD_AUTH = "deployment/roadstead-forward-auth"
TRAEFIK = "deployment/traefik"
PAUSE_SECONDS = 0.02


class Caller:
    """Keeps a connection as long as possible."""

    def __init__(self, gateway: Gateway, served: Served) -> None:
        self._gateway, self._served = gateway, served
        self._connection: Connection | None = None

    def health(self) -> None:
        """Send a GET on the open connection, and once more on a new one if it is closed."""
        reused = self._connection is not None
        try:
            answer = self._get()
        except Unanswered:
            self.close()
            if not reused:
                raise
            answer = self._get()
        if answer.headers.get("connection") == "close":
            self.close()
        expect(answer)

    def close(self) -> None:
        """Close the open connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def chat(self) -> None:
        """Send a POST, which is not idempotent, on a new connection."""
        body = {**completion(2), "stream": False}
        path = f"/{self._served.uid}/completion"
        expect(ask(self._gateway, path, token=self._served.token, body=body))

    def _get(self) -> Answer:
        if self._connection is None:
            self._connection = Connection(self._gateway)
        return self._connection.ask(f"/{self._served.uid}/health", token=self._served.token)


def expect(answer: Answer) -> None:
    """Raises Unanswered unless the status is 200."""
    if answer.status != http.client.OK:
        raise Unanswered(f"{answer.status}: {answer.body[:200]!r}")


@pytest.fixture
def load(gateway: Gateway, mine: Served) -> Callable[[], Any]:
    """Runs two callers while the block runs, and asserts afterwards that no request was lost."""

    @contextmanager
    def under_load() -> Iterator[None]:
        caller = Caller(gateway, mine)
        with ExitStack() as stack:
            stack.callback(caller.close)
            callers = [
                stack.enter_context(Repeatedly(attempt, pause=PAUSE_SECONDS))
                for attempt in (caller.health, caller.chat)
            ]
            yield
            wait_until(lambda: all(each.passed > 10 for each in callers))
        for each in callers:
            assert each.failures == []

    return under_load


def test_rollout_of_forward_auth_loses_no_request(
    cluster: Cluster, load: Callable[[], Any]
) -> None:
    # Half a minute: two pods drain one after the other.
    with load():
        roll_out(cluster, NAMESPACE, FORWARD_AUTH)
        until_gone(cluster, NAMESPACE)


def test_rollout_of_traefik_loses_no_request_and_cuts_no_stream(
    cluster: Cluster, gateway: Gateway, mine: Served, load: Callable[[], Any]
) -> None:
    # Two minutes: the stream has to outlast the rollout, and old pods exit with their last stream.
    with Connection(gateway) as connection:
        path = f"/{mine.uid}/completion"
        stream = pieces(connection.open(path, token=mine.token, body=completion(1000)))
        next(stream)
        with load():
            roll_out(cluster, TRAEFIK_NAMESPACE, TRAEFIK)
            *_, last = stream
            until_gone(cluster, TRAEFIK_NAMESPACE)
    assert last["stop"]


def test_rollout_of_a_server_loses_no_request(
    cluster: Cluster, mine: Served, load: Callable[[], Any]
) -> None:
    # Half a minute: a model is loaded again, and the old pod exits after its last request.
    serves = Serves(cluster=cluster, namespace=mine.namespace)
    (before,) = [pod["metadata"]["uid"] for pod in serves.pods()]
    with load():
        changed = {**RUNTIME, "batchSize": 256}
        apply(cluster, mine.namespace, mine.token, runtimeParams=changed)
        wait_until(
            lambda: (
                [pod["metadata"]["uid"] for pod in serves.pods()] not in ([], [before])
                and len(serves.pods()) == 1
            ),
            seconds=240,
        )
        serves.until_ready("gemma")
        until_gone(cluster, mine.namespace)


def roll_out(cluster: Cluster, namespace: str, deployment: str) -> None:
    """Restart a Deployment's pods and wait until the new ones are ready."""
    cluster.run("-n", namespace, "rollout", "restart", deployment)
    cluster.run("-n", namespace, "rollout", "status", deployment, "--timeout=240s")


def until_gone(cluster: Cluster, namespace: str) -> None:
    """Wait until no pod is terminating: until then a request may be lost."""
    pods = json.loads(cluster.run("-n", namespace, "get", "pods", "-o", "json"))["items"]
    leaving = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
    for name in leaving:
        cluster.run("-n", namespace, "wait", "--for=delete", f"pod/{name}", "--timeout=300s")
