"""Certificates and the kubeconfigs that contain them."""

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from cryptography import x509

from dev.cluster import certificates, kubeconfig
from dev.cluster.certificates import SUBJECTS, Authority, Pair
from dev.cluster.layout import API_SERVER

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PAIR = Pair(certificate=b"certificate", key=b"key")


def test_kubeconfig_embeds_its_certificates() -> None:
    text = kubeconfig.render(server=API_SERVER, ca=b"authority", client=PAIR)
    config = json.loads(text)
    user = config["users"][0]["user"]
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == API_SERVER
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"authority"
    assert base64.b64decode(user["client-certificate-data"]) == b"certificate"
    assert base64.b64decode(user["client-key-data"]) == b"key"


def test_kubeconfig_context_names_its_cluster_and_user() -> None:
    config = json.loads(kubeconfig.render(server=API_SERVER, ca=b"", client=PAIR))
    [context] = [each for each in config["contexts"] if each["name"] == config["current-context"]]
    assert context["context"]["cluster"] == config["clusters"][0]["name"]
    assert context["context"]["user"] == config["users"][0]["name"]


def test_kubeconfig_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("older")
    path.chmod(0o644)
    kubeconfig.write(path, "newer")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("newer", 0o600)


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_certificate_is_signed_by_the_ca(name: str) -> None:
    authority = Authority(now=NOW)
    ca = x509.load_pem_x509_certificate(authority.pair.certificate)
    issued = x509.load_pem_x509_certificate(authority.issue(SUBJECTS[name]).certificate)
    issued.verify_directly_issued_by(ca)
    assert issued.not_valid_before_utc <= NOW < issued.not_valid_after_utc


def test_kubelet_certificate_matches_the_node_authorizer() -> None:
    pair = Authority(now=NOW).issue(SUBJECTS["kubelet"])
    subject = x509.load_pem_x509_certificate(pair.certificate).subject
    assert subject.rfc4514_string() == "CN=system:node:node1,O=system:nodes"


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    certificates.issue_all(tmp_path, now=NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")}
    assert set(modes) == {f"{name}.key" for name in (*SUBJECTS, "ca", "sa")}
    assert set(modes.values()) == {0o600}
