"""llama.cpp receives the caller's identity from the gateway alone, and never the token.

It is read from the traffic between the gateway and the server's pod.
"""

import base64
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.gateway.overheard import Overheard
from tests.e2e.gateway.site import Gateway, Issuer, Served
from tests.e2e.gateway.wire import TIMEOUT_SECONDS, exchange
from tests.e2e.serves import USERS, Serves
from tests.support.waiting import wait_until

SERVER_PORT = 8080
SUBJECT = "x-auth-subject"
GROUPS = "x-auth-groups"
IDENTITY = "alice"
REFUSED = (400, 401)


@pytest.fixture
def wire(cluster: Cluster, mine: Served) -> Iterator[Overheard]:
    """The traffic to the server's pod."""
    pods = Serves(cluster=cluster, namespace=mine.namespace).pods()
    (address,) = [pod["status"]["podIP"] for pod in pods]
    with Overheard(address, SERVER_PORT) as heard:
        yield heard


@pytest.fixture
def sent(
    gateway: Gateway,
    issuer: Issuer,
    mine: Served,
    wire: Overheard,
) -> Callable[..., list[tuple[str, str]]]:
    """Sends a request as alice with more headers; the headers that arrive, empty if refused."""

    def ask(*lines: str) -> list[tuple[str, str]]:
        marker, token = secrets.token_hex(8), issuer.token(IDENTITY, USERS)
        head = (
            f"GET /{mine.uid}/health?{marker} HTTP/1.1",
            f"Host: {gateway.host}:{gateway.port}",
            f"Authorization: Bearer {token}",
            *lines,
            "Connection: close",
        )
        request = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        answer = exchange(gateway, request, silence=TIMEOUT_SECONDS)
        if answer.statuses[0] in REFUSED:
            return []
        assert answer.statuses == [200], answer.data
        wait_until(lambda: marker.encode() in wire.data)
        assert token.encode() not in wire.data
        return wire.headers(marker)

    return ask


@pytest.mark.fault("R22", heals="only the gateway's identity headers reach the server")
@pytest.mark.parametrize(
    "forged",
    [
        pytest.param((), id="nothing"),
        pytest.param(("X-Auth-Subject: root",), id="subject"),
        pytest.param(("x-auth-subject: root", "X-AUTH-SUBJECT: root"), id="subject-twice"),
        pytest.param(("X-Auth-Groups: admins",), id="groups"),
        pytest.param(("Connection: X-Auth-Subject, X-Auth-Groups",), id="hop-by-hop"),
        pytest.param(("Connection: Authorization",), id="hop-by-hop-authorization"),
    ],
)
def test_server_gets_the_callers_identity_from_the_gateway_only(
    sent: Callable[..., list[tuple[str, str]]], forged: tuple[str, ...]
) -> None:
    headers = sent(*forged)
    if not headers:
        assert forged, "a plain request was refused"
        return
    assert [value for name, value in headers if name == SUBJECT] == [IDENTITY]
    assert [value for name, value in headers if name == GROUPS] == [USERS]


@pytest.mark.fault("R22", heals="identity headers of the caller are removed")
@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("X_Auth_Subject: root", id="underscores"),
        pytest.param("X.Auth.Subject: root", id="dots"),
        pytest.param("X-Auth_Subject: root", id="mixed"),
        pytest.param("X-Forwarded-User: root", id="forwarded-user"),
        pytest.param("X-Remote-User: root", id="remote-user"),
        pytest.param("Remote-User: root", id="plain-remote-user"),
        pytest.param("Cookie: __Host-roadstead-session=root", id="session"),
        pytest.param("X-Api-Key: root", id="api-key"),
        pytest.param("X-Conversation-Id: root", id="conversation"),
        pytest.param("X-Anything-Else: root", id="any-other"),
    ],
)
def test_identity_headers_of_the_caller_are_removed(
    sent: Callable[..., list[tuple[str, str]]], forged: str
) -> None:
    assert "root" not in json.dumps(sent(forged))


def test_token_is_replaced_by_the_servers_own_key(
    sent: Callable[..., list[tuple[str, str]]], cluster: Cluster, mine: Served
) -> None:
    headers = sent()
    (authorization,) = [value for name, value in headers if name == "authorization"]
    name = ("secret", f"{mine.name}-key")
    encoded = cluster.run("-n", mine.namespace, "get", *name, "-o", "jsonpath={.data.api-key}")
    key = authorization.removeprefix("Bearer ")
    assert len(key) > 40
    assert decoded(encoded) == key


def test_server_requires_its_key_inside_the_cluster_too(cluster: Cluster, mine: Served) -> None:
    with cluster.forwarded(mine.namespace, f"service/{mine.name}", 80) as port:
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=60)
        raised.value.close()
    assert raised.value.code == 401


def decoded(text: str) -> str:
    """The decoded value of a Secret's data."""
    return base64.b64decode(text).decode().strip()
