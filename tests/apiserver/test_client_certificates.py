"""The API server known by a client certificate, which its AdmissionConfiguration gives it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dev.binaries import ensure
from dev.servers.apiclient import connect, install_crds
from dev.servers.apiserver import ApiServer, running
from dev.servers.process import free_port
from tests.support.builders.objects import make_modelserve
from tests.support.builders.reviews import review, thing
from tests.support.certificates import issue_clients
from tests.support.charts import Chart
from tests.support.custom_objects import call, create, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.webhook_process import Folder, prepare, running_webhooks

API_SERVER, OTHER = "kube-apiserver", "kubelet"
KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
CONFIG = "apiserver.config.k8s.io/v1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """An API server, and webhooks that believe it alone."""

    server: ApiServer
    port: int
    webhooks: Folder
    clients: Path
    """The folder with the certificates of clients."""

    def trust(self, client: str = "") -> ssl.SSLContext:
        """That of a client which shows this certificate, or none."""
        context = ssl.create_default_context(cadata=self.webhooks.ca.decode())
        if client:
            context.load_cert_chain(self.clients / f"{client}.crt", self.clients / f"{client}.key")
        return context


@pytest.fixture(scope="module")
def place(binaries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("certified")
    port, ca = free_port(), issue_clients(folder, API_SERVER, OTHER)
    flags = [f"--admission-control-config-file={_admission_configuration(folder, port)}"]
    (folder / "webhooks").mkdir()
    webhooks = prepare(folder / "webhooks")
    environ = {
        "ROADSTEAD_HTTPS_PORT": str(port),
        "ROADSTEAD_API_SERVER_CA_FILE": str(ca),
        "ROADSTEAD_API_SERVER_NAMES": API_SERVER,
        "ROADSTEAD_REVIEW_PATHS_DIR": str(folder / "none"),
    }
    with running(binaries, folder, flags=flags) as server:
        asyncio.run(install_crds(server))
        with running_webhooks(server, webhooks, name="certified", **environ):
            found = Place(server=server, port=port, webhooks=webhooks, clients=folder)
            asyncio.run(_register(found, Chart(helm=ensure("helm")["helm"]), ca.read_text()))
            yield found


def _admission_configuration(folder: Path, port: int) -> Path:
    """As docs/operations/webhooks.md has it."""
    user = {
        "client-certificate": str(folder / f"{API_SERVER}.crt"),
        "client-key": str(folder / f"{API_SERVER}.key"),
    }
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "users": [{"name": f"127.0.0.1:{port}", "user": user}],
    }
    (folder / "webhooks.kubeconfig").write_text(json.dumps(kubeconfig))
    plugin = {
        "apiVersion": CONFIG,
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(folder / "webhooks.kubeconfig"),
    }
    names = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
    plugins = [{"name": name, "configuration": plugin} for name in names]
    whole = {"apiVersion": CONFIG, "kind": "AdmissionConfiguration", "plugins": plugins}
    path = folder / "admission.json"
    path.write_text(json.dumps(whole))
    return path


async def _register(place: Place, chart: Chart, ca: str) -> None:
    given = {"clientCABundle": ca, "clientNames": [API_SERVER]}
    rendered = chart.render({"webhooks": {"apiServer": given}})
    bundle = base64.b64encode(place.webhooks.ca).decode()
    async with connect(place.server) as api:
        for kind in KINDS:
            body = rendered.one(kind, "roadstead")
            for hook in body["webhooks"]:
                path = hook["clientConfig"]["service"]["path"]
                url = f"https://127.0.0.1:{place.port}{path}"
                hook["clientConfig"] = {"url": url, "caBundle": bundle}
            collection = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s"
            await call(api, "POST", collection, body)


async def test_api_server_is_answered(place: Place) -> None:
    async with connect(place.server) as api:

        async def asked() -> bool:
            body = make_modelserve("default")
            said = await refusal(create(api, body), allowed="")
            return "TokenMissing" in said

        await assert_eventually(asked)


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
async def test_certificate_of_the_same_authority_with_another_name_is_not(
    place: Place, path: str
) -> None:
    assert await _status(place, path, OTHER) == 403


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
async def test_nobody_without_a_certificate_is(place: Place, path: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await _status(place, path, "")


async def test_certificate_that_has_the_name_but_another_authority_is_not(
    place: Place, tmp_path: Path
) -> None:
    issue_clients(tmp_path, API_SERVER)
    forged = dataclasses.replace(place, clients=tmp_path)
    with pytest.raises(aiohttp.ClientError):
        await _status(forged, "/mutate", API_SERVER)


async def _status(place: Place, path: str, certificate: str) -> int:
    connector = aiohttp.TCPConnector(ssl=place.trust(certificate))
    body: Any = review("CREATE", thing())
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"https://127.0.0.1:{place.port}{path}", json=body) as answer,
        ):
            return answer.status
    finally:
        await asyncio.sleep(0.25)
