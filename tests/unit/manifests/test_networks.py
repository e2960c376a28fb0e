"""Servers in clusters of IPv6, and servers whose store has a private authority."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.manifests.digest import digest_of
from roadstead.manifests.modelserve_manifests import desired_objects, fetch_secret
from roadstead.manifests.rendering import Manifest
from roadstead.process import wiring
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind

NOON = datetime.datetime(2030, 1, 2, 12, 0, tzinfo=datetime.UTC)
SECURE = {"minioEndpoint": "https://store.example.com"}
SETTINGS = {
    "ROADSTEAD_STORE_ENDPOINT": "http://store:9000",
    "ROADSTEAD_STORE_ACCESS_KEY_FILE": "/keys/access",
    "ROADSTEAD_STORE_SECRET_KEY_FILE": "/keys/secret",
    "ROADSTEAD_OPERATOR_IMAGE": "roadstead:1",
    "ROADSTEAD_SERVER_IMAGE": "llama-server:1",
}


def desired(kind: str, platform: dict[str, Any], **status: Any) -> Manifest:
    objects = desired_objects(make_serve(), make_model(**status), make_platform(**platform))
    return of_kind(objects, kind)


def fetch_env(platform: dict[str, Any], **status: Any) -> dict[str, str]:
    pod = desired("Deployment", platform, **status)["spec"]["template"]["spec"]
    return {each["name"]: each["value"] for each in pod["initContainers"][0]["env"]}


@pytest.mark.parametrize(
    ("address", "host", "policy"),
    [("10.96.0.1", "0.0.0.0", None), ("fd00::1", "::", "PreferDualStack")],  # noqa: S104
)
def test_server_listens_on_the_clusters_first_family(
    address: str, host: str, policy: str | None
) -> None:
    settings = OperatorSettings.from_env({**SETTINGS, "KUBERNETES_SERVICE_HOST": address})
    objects = desired_objects(make_serve(), make_model(), wiring.platform(settings))
    (server,) = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert server["args"][server["args"].index("--host") + 1] == host
    assert of_kind(objects, "Service")["spec"].get("ipFamilyPolicy") == policy


def test_fetch_trusts_the_authorities_beside_its_url() -> None:
    found = fetch_env({"trust": "replace"}, **SECURE)
    assert found["ROADSTEAD_TRUST_FILE"] == "/fetch/ca.crt"
    assert found["ROADSTEAD_TRUST_MODE"] == "replace"


def test_servers_of_a_store_without_tls_are_not_rolled_out_for_authorities() -> None:
    plain = desired("Deployment", {})
    assert desired("Deployment", {"trust": "add"}) == plain


def test_other_authorities_change_the_secret_and_no_pod() -> None:
    secrets = [fetch_secret(make_serve(), "u", NOON, authorities=pem) for pem in ("", "a", "b")]
    assert len({digest_of(each) for each in secrets}) == 3
    assert secrets[0]["stringData"] == {"url": "u"}
    assert secrets[1]["stringData"] == {"url": "u", "ca.crt": "a"}
