"""`roadstead generate-secrets` on a real API server, with the rights of the chart's Job."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import yaml
from kubernetes.aio import client

from dev import binaries
from roadstead.__main__ import main
from tests.support.builders.objects import Raw
from tests.support.charts import Chart, Rendered
from tests.support.custom_objects import account_token, call

JOB = "roadstead-generated-secrets"
VALUES = {
    "secrets": {"generate": "job"},
    "gateway": {"kind": "none"},
    "tokens": {"local": {"audience": "models"}},
}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return Chart(helm=binaries.ensure("helm")["helm"]).render(VALUES)


@pytest.fixture
async def account(
    api: client.ApiClient, kubeconfig: Path, namespace: str, rendered: Rendered, tmp_path: Path
) -> Path:
    """A kubeconfig of the Job's ServiceAccount, with its Role in the test's namespace."""
    where = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    for plural, kind in (("roles", "Role"), ("rolebindings", "RoleBinding")):
        body = rendered.one(kind, JOB)
        subjects = [{**each, "namespace": namespace} for each in body.get("subjects", ())]
        meta = {"name": JOB, "namespace": namespace}
        changed = {**body, "metadata": meta, **({"subjects": subjects} if subjects else {})}
        await call(api, "POST", f"{where}/{plural}", changed)
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await call(api, "POST", accounts, {"metadata": {"name": JOB}})
    token = await account_token(api, f"system:serviceaccount:{namespace}:{JOB}")
    return with_user(kubeconfig, tmp_path, token=token)


def with_user(kubeconfig: Path, folder: Path, **user: str) -> Path:
    """A kubeconfig with other credentials."""
    config = yaml.safe_load(kubeconfig.read_text())
    for each in config["users"]:
        each["user"] = user
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return folder / "kubeconfig"


async def generate(
    monkeypatch: pytest.MonkeyPatch, account: Path, namespace: str, rendered: Rendered
) -> list[Raw]:
    """Run the Job's command; returns what it was asked for."""
    (container,) = rendered.one("Job", JOB)["spec"]["template"]["spec"]["containers"]
    wanted: list[Raw] = json.loads(container["args"][-1])
    monkeypatch.setenv("KUBECONFIG", str(account))
    arguments = ["generate-secrets", "--namespace", namespace, container["args"][-1]]
    assert await asyncio.to_thread(main, arguments) == 0
    return wanted


async def stored(api: client.ApiClient, namespace: str) -> dict[str, Raw]:
    found = await call(api, "GET", f"/api/v1/namespaces/{namespace}/secrets")
    return {each["metadata"]["name"]: each for each in found["items"]}


async def test_all_secrets_are_created_once(
    api: client.ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    account: Path,
    namespace: str,
    rendered: Rendered,
) -> None:
    wanted = await generate(monkeypatch, account, namespace, rendered)
    first = await stored(api, namespace)
    assert {each["name"]: set(each["values"]) for each in wanted} == {
        name: set(each["data"]) for name, each in first.items()
    }
    marks = first["roadstead-jwt"]["metadata"]["annotations"]
    assert marks["model.example.com/audience"] == "models"
    await generate(monkeypatch, account, namespace, rendered)
    assert await stored(api, namespace) == first


async def test_secret_that_helm_rendered_keeps_its_value_and_is_kept(
    api: client.ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    account: Path,
    namespace: str,
    rendered: Rendered,
) -> None:
    before = {"metadata": {"name": "roadstead-store"}, "data": {"accessKey": "YWxpY2U="}}
    await call(api, "POST", f"/api/v1/namespaces/{namespace}/secrets", before)
    await generate(monkeypatch, account, namespace, rendered)
    after = (await stored(api, namespace))["roadstead-store"]
    assert after["data"]["accessKey"] == "YWxpY2U="
    assert after["data"]["secretKey"]
    assert after["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


async def test_job_may_not_read_other_secrets(
    api: client.ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    account: Path,
    namespace: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = json.dumps([{"name": "others", "values": {"key": {"size": 16}}}])
    monkeypatch.setenv("KUBECONFIG", str(account))
    arguments = ["generate-secrets", "--namespace", namespace, wanted]
    assert await asyncio.to_thread(main, arguments) == 2
    assert "403" in capsys.readouterr().err
