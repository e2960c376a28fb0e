"""A console on a separate host relays chats to servers, without giving them its origin."""

from __future__ import annotations

import io
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from dev.console import server
from dev.console.server import ConsoleProcess
from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from dev.servers.process import free_port
from roadstead.console.web.chat_relay import MAX_CHAT_BYTES
from tests.apiserver.console.conftest import ALICES
from tests.support.certificates import write_certificate
from tests.support.console_browser import Browser
from tests.support.gateway.recording_server import RecordingServer, running_recorder

UUID = ALICES["metadata"]["uid"]
CHAT = f"/api/servers/{UUID}/v1/chat/completions"
QUESTION = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
HOSTILE = {
    "Set-Cookie": "__Host-roadstead-session=theirs; Path=/; Secure",
    "Clear-Site-Data": '"*"',
    "Service-Worker-Allowed": "/",
    "Content-Security-Policy": "default-src *",
    "Access-Control-Allow-Origin": "*",
    "Location": "https://evil.example.com/",
    "X-Anything": "else",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RecordingServer, str]]:
    """A fake gateway, and its CA file."""
    folder = tmp_path_factory.mktemp("gateway")
    write_certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with running_recorder(tls=tls) as recorder:
        yield recorder, str(folder / "ca.crt")


@pytest.fixture(scope="module")
def apart(
    gateway: tuple[RecordingServer, str],
    apiserver: ApiServer,
    ledger: Postgres,
    console: ConsoleProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ConsoleProcess]:
    """A console at localhost, with servers at 127.0.0.1."""
    recorder, authority = gateway
    port = free_port()
    with server.running_console(
        apiserver.kubeconfig,
        ledger.dsn("reader"),
        tmp_path_factory.mktemp("apart"),
        port=port,
        ROADSTEAD_CONSOLE_URL=f"http://localhost:{port}",
        ROADSTEAD_GATEWAY_URL=f"https://127.0.0.1:{recorder.port}",
        ROADSTEAD_GATEWAY_CA_FILE=authority,
    ) as running:
        yield running


@pytest.fixture
def servers(gateway: tuple[RecordingServer, str]) -> RecordingServer:
    """The fake gateway, without recorded requests."""
    recorder, fresh = gateway[0], RecordingServer()
    for field in ("status", "content_type", "body", "headers", "rest", "more"):
        setattr(recorder, field, getattr(fresh, field))
    recorder.requests.clear()
    return recorder


@pytest.fixture
async def alice(apart: ConsoleProcess) -> AsyncIterator[Browser]:
    """A signed-in user of the separate console."""
    async with Browser(apart.origin) as opened:
        await opened.sign_in("alice", "demo-users")
        yield opened


async def test_page_sends_chats_to_the_console(alice: Browser) -> None:
    page = await alice.get(f"/{UUID}")
    assert f'data-chat="/api/servers/{UUID}"' in page.text


async def test_gateway_gets_the_sessions_token_and_no_cookie(
    alice: Browser, servers: RecordingServer
) -> None:
    answer = await alice.ask("POST", CHAT, body=QUESTION)
    assert (answer.status, answer.text) == (200, '{"status":"ok"}')
    (received,) = servers.requests
    headers = {name.lower(): value for name, value in received.headers}
    assert received.target == f"/{UUID}/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {alice.cookie}"
    assert "cookie" not in headers


async def test_headers_of_the_server_are_dropped(alice: Browser, servers: RecordingServer) -> None:
    servers.headers = HOSTILE
    answer = await alice.ask("POST", CHAT, body=QUESTION)
    assert answer.status == 200
    for name, value in HOSTILE.items():
        assert answer.headers.get(name) != value
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("status", "content_type", "expected"),
    [
        (200, "text/html", 502),
        (200, "text/javascript", 502),
        (302, "application/json", 502),
        (429, "text/plain", 429),
    ],
)
async def test_other_content_types_and_redirects_are_refused(
    alice: Browser, servers: RecordingServer, status: int, content_type: str, expected: int
) -> None:
    servers.status, servers.content_type, servers.body = status, content_type, b"<p>theirs"
    answer = await alice.ask("POST", CHAT, body=QUESTION)
    assert answer.status == expected
    assert answer.json["error"]["code"] == "NotAnswered"
    assert "theirs" not in answer.text


async def test_denial_of_forward_auth_is_returned(alice: Browser, servers: RecordingServer) -> None:
    servers.status, servers.body = 403, b'{"error": {"message": "no such server"}}'
    answer = await alice.ask("POST", CHAT, body=QUESTION)
    assert (answer.status, answer.json["error"]["message"]) == (403, "no such server")


async def test_response_is_streamed(alice: Browser, servers: RecordingServer) -> None:
    servers.content_type, servers.body, servers.rest = "text/event-stream", b"data: 1\n", b"data: 2"
    async with alice.session.post(
        alice.origin + CHAT, json=QUESTION, headers=alice.headers("POST")
    ) as response:
        assert await response.content.readline() == b"data: 1\n"
        servers.more.set()
        assert await response.content.read() == b"data: 2"
        assert response.content_type == "text/event-stream"


async def test_size_of_conversation_is_limited(alice: Browser, servers: RecordingServer) -> None:
    long = {"prompt": "x" * (MAX_CHAT_BYTES - 1024)}
    assert (await alice.ask("POST", CHAT, body=long)).status == 200
    endless = io.BytesIO(b"x" * (MAX_CHAT_BYTES + 1))
    assert (await alice.ask("POST", CHAT, data=endless)).status == 413
    assert len(servers.requests) == 1


async def test_request_without_session_or_from_another_site_is_not_relayed(
    alice: Browser, apart: ConsoleProcess, servers: RecordingServer
) -> None:
    elsewhere = {"Origin": "https://127.0.0.1"}
    assert (await alice.ask("POST", CHAT, body=QUESTION, headers=elsewhere)).status == 403
    async with Browser(apart.origin) as anonymous:
        assert (await anonymous.ask("POST", CHAT, body=QUESTION)).status == 401
    assert servers.requests == []


async def test_console_on_a_shared_host_does_not_relay(console: ConsoleProcess) -> None:
    async with Browser(console.origin) as opened:
        await opened.sign_in("alice", "demo-users")
        assert (await opened.ask("POST", CHAT, body=QUESTION)).status == 404
