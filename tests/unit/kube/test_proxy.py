"""The proxy in the environment is used for a kubeconfig's API server unless it is excluded."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio.config import incluster_config

from roadstead.errors import KubeUnavailable
from roadstead.kube.kube_client import KubeClient, configuration_of
from roadstead.kube.resources import MODELS

FAR = "http://api.invalid"


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """A proxy that answers every request, and the requested addresses."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(f"http://{request.host}{request.path}")
        return web.json_response({"metadata": {"name": "a"}})

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield asked
    await runner.cleanup()


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """A kubeconfig for an API server that is reachable only by the proxy."""
    return write_kubeconfig(tmp_path, {})


def write_kubeconfig(tmp_path: Path, cluster: dict[str, str]) -> str:
    content = {
        "current-context": "far",
        "clusters": [{"name": "far", "cluster": {"server": FAR, **cluster}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(content))
    return str(path)


async def test_requests_go_through_the_proxy(proxy: list[str], kubeconfig: str) -> None:
    kube = await KubeClient.connect(kubeconfig)
    await kube.get(MODELS, "a")
    await kube.close()
    assert proxy == [f"{FAR}{MODELS.path('a')}"]


async def test_an_excluded_server_is_reached_directly(
    proxy: list[str], kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", ".invalid")
    kube = await KubeClient.connect(kubeconfig)
    with pytest.raises(KubeUnavailable):
        await kube.get(MODELS, "a")
    await kube.close()
    assert proxy == []


async def test_a_pod_reaches_its_api_server_directly(
    proxy: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("t")
    ca.write_text("ca")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(ca))
    assert (await configuration_of(None)).proxy is None


async def test_the_proxy_of_a_kubeconfig_precedes_that_of_the_environment(
    proxy: list[str], tmp_path: Path
) -> None:
    found = await configuration_of(write_kubeconfig(tmp_path, {"proxy-url": "http://127.0.0.1:1"}))
    assert found.proxy == "http://127.0.0.1:1"
