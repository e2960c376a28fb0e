"""Where a pod reads the keys of its cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roadstead.errors import InvalidSettings
from roadstead.issuers.cluster_keys import ClusterKeys
from roadstead.issuers.issuer_settings import TokenSettings
from roadstead.settings import EnvReader

ENTRY = {"issuer": "https://kubernetes.default.svc", "audience": "roadstead"}


def environment(folder: Path, **changes: object) -> dict[str, str]:
    file = folder / "issuers.json"
    file.write_text(json.dumps([{**ENTRY, "keysFromCluster": True, **changes}]))
    return {"ROADSTEAD_TOKEN_ISSUERS_FILE": str(file)}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.96.0.1", "https://10.96.0.1:6443/openid/v1/jwks"),
        ("fd00::1", "https://[fd00::1]:6443/openid/v1/jwks"),
    ],
)
def test_keys_are_at_the_api_server_of_the_pod(host: str, url: str) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}
    found = ClusterKeys.read(EnvReader(environ))
    assert found is not None
    assert found.url == url


def test_cluster_is_an_issuer_in_a_pod_only(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    in_pod = TokenSettings.from_env({**environ, "KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert in_pod.issuers[0].keys_from_cluster
    with pytest.raises(InvalidSettings, match="only in a pod"):
        TokenSettings.from_env(environ)


@pytest.mark.parametrize("changes", [{"jwksUrl": "https://a/b"}, {"keysFromCluster": False}])
def test_exactly_one_source_of_keys_is_set(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match=r"exactly one of .*keysFromCluster"):
        TokenSettings.from_env(environment(tmp_path, **changes))
