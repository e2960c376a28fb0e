"""The chart's own Traefik, the default, and `helm test`, in place of the local cluster's Traefik.

It takes about a minute: two upgrades replace the operator, forward auth and the console.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.demo.installation import CHECKOUT, NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from tests.e2e.gateway.conftest import until_routed_everywhere
from tests.e2e.gateway.connection import ask
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.serves import USERS

SERVICE = f"{RELEASE}-gateway"
VALUES = (
    *("gateway.kind=embedded", "gateway.namespace=", "gateway.address=", "gateway.caBundle="),
    *("images.gateway=localhost/traefik:dev", f"test.groups={{{USERS}}}"),
)
HELM = ("--namespace", NAMESPACE, "--wait", "--timeout", "240s")


@pytest.fixture(scope="module")
def embedded(
    cluster: Cluster, mine: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The release with it, at a forwarded port; afterwards with the values from before."""
    values = ("--reuse-values", "--set", ",".join((*VALUES, f"test.server={mine.namespace}/gemma")))
    cluster.install("upgrade", RELEASE, str(CHECKOUT / "chart"), *values, *HELM)
    try:
        with cluster.forwarded(NAMESPACE, f"service/{SERVICE}", 443) as port:
            ca = tmp_path_factory.mktemp("embedded") / "ca.pem"
            ca.write_text(authority(cluster))
            yield Gateway(url=f"https://localhost:{port}", ca=Path(ca))
    finally:
        cluster.install("rollback", RELEASE, *HELM)


def authority(cluster: Cluster) -> str:
    """The certificate of the authority, for clients."""
    found = cluster.get("-n", NAMESPACE, "configmap", f"{SERVICE}-ca")
    assert found is not None
    text: str = found["data"]["ca.crt"]
    return text


def test_server_is_asked_with_a_token_and_never_without(embedded: Gateway, mine: Served) -> None:
    until_routed_everywhere(embedded, mine.uid, token=mine.token)
    question = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    path = f"/{mine.uid}/v1/chat/completions"
    assert ask(embedded, path, token=mine.token, body=question).status == 200
    assert ask(embedded, path, body=question).status == 401


def test_console_answers_at_the_same_host(embedded: Gateway) -> None:
    assert b"<html" in ask(embedded, "/sign-in", Accept="text/html").body


def test_helm_test_asks_the_server(cluster: Cluster, embedded: Gateway, mine: Served) -> None:
    where = ("--namespace", NAMESPACE, "--timeout", "120s", "--logs")
    printed = cluster.install("test", RELEASE, *where)
    assert f"{mine.namespace}/gemma requires a token, and answered" in printed
