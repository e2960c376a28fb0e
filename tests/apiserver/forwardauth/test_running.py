"""The process: start, shutdown, log, metrics, and outages of the API server."""

from __future__ import annotations

import contextlib
import datetime
import json
import signal
import socket
from pathlib import Path

import pytest
from kubernetes.aio import client

from dev.console.tokens import make_token
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from dev.servers.process import free_ports
from tests.support.forwardauth.auth_process import (
    KEY,
    REVOCATIONS,
    SYSTEM,
    AuthProcess,
    Folder,
    Gateway,
    running_auth,
)
from tests.support.forwardauth.permitted_server import Site, make_site, make_system
from tests.support.waiting import assert_eventually


async def test_access_log_has_requests_without_tokens_and_prompts(
    auth: AuthProcess, gateway: Gateway, site: Site
) -> None:
    token = make_token("carol")
    path = f"/v1/models?access_token={token}&prompt=a-secret-of-mine"
    assert gateway.ask(site.uuid, token, method="GET", path=path).status == 200
    meta = site.serve["metadata"]
    title = f"modelserve/{meta['namespace']}/{meta['name']}"

    def line() -> dict[str, object]:
        whole, _, _ = auth.log.read_text().rpartition("\n")  # The last may be half written.
        every = map(json.loads, whole.splitlines())
        return next((each for each in every if each.get("subject") == "carol"), {})

    await assert_eventually(lambda: line())
    entry = line()
    assert (entry["object"], entry["server"], entry["method"]) == (title, site.uuid, "GET")
    assert (entry["verdict"], entry["reason"]) == ("allowed", "Allowed")
    text = auth.log.read_text()
    assert token not in text
    assert "a-secret-of-mine" not in text


async def test_metrics_cover_verdicts_cache_and_watches(
    auth: AuthProcess, gateway: Gateway, site: Site
) -> None:
    for _ in range(2):
        gateway.ask(site.uuid, make_token())
    gateway.ask(site.uuid)
    metrics = auth.metrics()
    for each in (
        'roadstead_forward_auth_verdicts_total{reason="Allowed",verdict="allowed"}',
        'roadstead_forward_auth_verdicts_total{reason="TokenMissing",verdict="unauthenticated"}',
        "roadstead_forward_auth_duration_seconds_bucket",
        'roadstead_forward_auth_cache_lookups_total{result="hit"}',
        "roadstead_forward_auth_cache_entries",
        'roadstead_watch_silence_seconds{resource="modelserves"}',
    ):
        assert each in metrics


async def test_without_admission_every_valid_token_is_allowed(
    apiserver: ApiServer, folder: Folder, site: Site
) -> None:
    with running_auth(apiserver, folder, name="off", ROADSTEAD_ADMISSION="off") as off:
        assert off.status(site.uuid, make_token("bob", "others")) == 200
        assert off.status(site.uuid) == 401


async def test_revocation_survives_a_restart(
    apiserver: ApiServer, folder: Folder, site: Site, system: client.CoreV1Api
) -> None:
    body = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name=REVOCATIONS), data={"sub": "mallory"}
    )
    await system.create_namespaced_config_map(SYSTEM, body)
    with running_auth(apiserver, folder, name="anew") as anew:
        assert anew.status(site.uuid, make_token("mallory")) == 403
        assert anew.status(site.uuid, make_token()) == 200


async def test_stopping_process_answers_requests_while_draining(
    apiserver: ApiServer, folder: Folder, site: Site
) -> None:
    # Takes half a minute: two requests within the grace period, on a busy machine too.
    grace = {"ROADSTEAD_SHUTDOWN_GRACE_SECONDS": "20"}
    with running_auth(apiserver, folder, name="ending", **grace) as ending:
        kept = Gateway(ending.port)
        assert kept.ask(site.uuid, make_token()).headers["Connection"] is None
        ending.process.send_signal(signal.SIGTERM)
        await assert_eventually(lambda: not ending.ready)
        answer = kept.ask(site.uuid, make_token())
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert ending.status(site.uuid, make_token()) == 200
        await assert_eventually(lambda: ending.process.poll() is not None)
        assert ending.process.returncode == 0


async def test_operators_probe_is_allowed_for_health_only(auth: AuthProcess, site: Site) -> None:
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    shown = {"Authorization": f"Roadstead-Probe {KEY.probe(site.uuid, now=now)}"}
    assert auth.ask(site.uuid, method="GET", path="/health", **shown).status == 200
    assert auth.ask(site.uuid, method="GET", path="/props", **shown).status == 401


_QUESTION = "GET /verify/x HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="root"),
        pytest.param("GET /verify/../verify HTTP/1.1\r\nHost: a\r\n\r\n", id="dots"),
        pytest.param("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", id="metrics"),
        pytest.param("GET /" + "x" * 5000 + " HTTP/1.1\r\nHost: a\r\n\r\n", id="long"),
        pytest.param(_QUESTION + "A: " + "x" * 40_000 + "\r\n\r\n", id="large"),
        pytest.param(_QUESTION + "A: b\r\n" * 200 + "\r\n", id="many"),
        pytest.param(
            _QUESTION + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="two lengths"
        ),
        pytest.param(_QUESTION + "Authorization: a\x00b\r\n\r\n", id="nul"),
        pytest.param(_QUESTION + "Authorization : Bearer x\r\n\r\n", id="blank before the colon"),
        pytest.param("hello\r\n\r\n", id="no HTTP"),
    ],
)
async def test_request_for_another_path_is_rejected(auth: AuthProcess, request_text: str) -> None:
    with socket.create_connection(("127.0.0.1", auth.port), timeout=60) as raw:
        raw.sendall(request_text.encode("latin-1"))
        answer = raw.recv(200)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


async def test_requests_are_rejected_until_the_cache_is_synced(
    apiserver: ApiServer, folder: Folder, site: Site, tmp_path: Path
) -> None:
    (away,) = free_ports(1)
    kubeconfig = tmp_path / "kubeconfig"
    text = apiserver.kubeconfig.read_text()
    kubeconfig.write_text(text.replace(apiserver.url, f"https://127.0.0.1:{away}"))
    settings = {"KUBECONFIG": str(kubeconfig)}
    with running_auth(apiserver, folder, name="early", probe="healthz", **settings) as early:

        def is_unavailable() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                answer = early.ask(site.uuid, make_token())
                return (answer.status, answer.code) == (503, "NotSynced")
            return False

        await assert_eventually(is_unavailable)
        assert not early.ready


async def test_outage_of_the_api_server_is_tolerated_until_the_cache_is_stale(
    binaries: dict[str, Path], tmp_path: Path, folder: Folder
) -> None:
    # Takes a minute: twenty seconds of silence, and the recovery of a stopped API server.
    (tmp_path / "control-plane").mkdir()
    with running(binaries, tmp_path / "control-plane") as server:
        await install_crds(server)
        await make_system(server)
        async with connect(server) as api:
            await client.CoreV1Api(api).create_namespace(
                client.V1Namespace(metadata=client.V1ObjectMeta(name="demo"))
            )
            site = await make_site(api, "demo")
        staleness = {"ROADSTEAD_MAX_STALENESS_SECONDS": "20"}
        with running_auth(server, folder, name="stale", **staleness) as auth:
            token = make_token()
            await assert_eventually(lambda: auth.status(site.uuid, token) == 200)
            server.process.send_signal(signal.SIGSTOP)
            try:
                assert auth.status(site.uuid, token) == 200
                await assert_eventually(lambda: auth.ask(site.uuid, token).status == 503)
                assert auth.ask(site.uuid, token).code == "Stale"
                assert not auth.ready
            finally:
                server.process.send_signal(signal.SIGCONT)
            await assert_eventually(lambda: auth.status(site.uuid, token) == 200)
