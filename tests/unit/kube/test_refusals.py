"""A temporary refusal is distinguished from a permanent one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from roadstead.errors import KubeError, KubeRejected, KubeUnavailable
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import SECRETS

NEW_KIND = (
    "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion "
    'model.example.com/v1alpha1 Kind ModelServe: no matches for kind "ModelServe"'
)
NO_RIGHT = "cannot set blockOwnerDeletion: you can't set finalizers on modelserves"


@pytest.fixture
async def refusing(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of a server that answers 403 to each request, with the requested name as text."""

    async def answer(request: web.BaseRequest) -> web.Response:
        body = await request.json()
        return web.json_response({"message": body["metadata"]["name"]}, status=403)

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    content = {
        "current-context": "c",
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}
        ],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(content))
    client = await KubeClient.connect(str(kubeconfig))
    yield client
    await client.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("message", "error"), [(NEW_KIND, KubeUnavailable), (NO_RIGHT, KubeRejected)]
)
async def test_an_owner_of_a_new_kind_is_refused_only_for_a_while(
    refusing: KubeClient, message: str, error: type[KubeError]
) -> None:
    with pytest.raises(error):
        await refusing.create(SECRETS, {"metadata": {"name": message, "namespace": "demo"}})
