"""A name never changes the kind or namespace of a request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from roadstead.errors import KubeNotFound, KubeRejected
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS, MODELSERVES, Resource

ELSEWHERE = ["", ".", "..", "...", "a/b", "../../secrets/a", "/", "a/", "../../../../api/v1/pods"]
ODD = [
    "a?b=c",
    "a#b",
    "%2e%2e",
    "..%2f..",
    "a%2fb",
    "a\\..\\b",
    "a b",
    "a;b",
    "é",
    "a\n",
    "..a",
    "+",
]


@given(st.text(alphabet=st.sampled_from("/.?#%2eF\\ aé;&=\n\x00"), max_size=12))
@example("..")
@example("%2e%2e")
def test_a_name_is_one_path_segment_or_refused(name: str) -> None:
    try:
        path = MODELSERVES.path(name, namespace=name)
    except KubeRejected:
        assert "/" in name or not name.strip(".")
        return
    parts = URL(f"http://host{path}").raw_path.split("/")
    assert parts[1:5] == ["apis", "model.example.com", "v1alpha1", "namespaces"]
    assert [unquote(part) for part in parts[5:]] == [name, "modelserves", name]


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[KubeClient, list[tuple[str, str]]]]:
    """A client, and the requests that its server received."""
    found: list[tuple[str, str]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        found.append((request.method, request.raw_path))
        return web.json_response({"message": "not here"}, status=404)

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = await KubeClient.connect(kubeconfig(tmp_path, runner.addresses[0][1]))
    yield client, found
    await client.close()
    await runner.cleanup()


def kubeconfig(folder: Path, port: int) -> str:
    """A kubeconfig for the server at this port."""
    named = {"name": "near", "context": {"cluster": "near", "user": "near"}}
    content = {
        "current-context": "near",
        "contexts": [named],
        "clusters": [{"name": "near", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "near", "user": {}}],
    }
    path = folder / "config"
    path.write_text(json.dumps(content))
    return str(path)


Asked = tuple[KubeClient, list[tuple[str, str]]]


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_name_that_changes_the_path_is_refused(asked: Asked, name: str) -> None:
    client, requests = asked
    body = {"metadata": {"name": name, "namespace": "demo"}}
    for attempt in (
        client.get(MODELS, name),
        client.get(MODELSERVES, "a", name or ".."),
        client.patch(MODELSERVES, name, {}, namespace="demo"),
        client.delete(MODELSERVES, name, namespace="demo"),
        client.apply(MODELSERVES, body),
        client.replace_status(MODELSERVES, body),
        client.create(MODELSERVES, {"metadata": {"name": "a", "namespace": name or ".."}}),
    ):
        with pytest.raises(KubeRejected, match="invalid object name"):
            await attempt
    assert not requests


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("resource", [MODELS, MODELSERVES], ids=lambda each: str(each.plural))
async def test_an_unusual_name_is_quoted(asked: Asked, resource: Resource, name: str) -> None:
    client, requests = asked
    with pytest.raises(KubeNotFound):
        await client.get(resource, name, "demo")
    ((method, path),) = requests
    before, _, last = path.rpartition("/")
    assert (method, before, unquote(last)) == ("GET", resource.collection("demo"), name)
