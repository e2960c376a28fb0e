"""The bill of materials of the image, compared with the packages in a running container."""

import json
from typing import Any

import pytest

from dev.checks.sbom import PLACE
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.images.sbom import canonical

PYTHON = (
    "import importlib.metadata as m, json; "
    "print(json.dumps([(d.metadata['Name'], d.version) for d in m.distributions()]))"
)
DPKG = ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n")


def exec_in_operator(cluster: Cluster, *command: str) -> str:
    """Output of a command in an operator's container."""
    return cluster.run("-n", NAMESPACE, "exec", "deployment/roadstead-operator", "--", *command)


@pytest.fixture(scope="module")
def bill(cluster: Cluster) -> dict[str, Any]:
    """The bill of materials in the image."""
    found: dict[str, Any] = json.loads(exec_in_operator(cluster, "cat", f"/{PLACE}"))
    return found


def components(bill: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    """Names and versions of the components of one package type."""
    parts = [*bill["components"], bill["metadata"]["component"]]
    return {(each["name"], each["version"]) for each in parts if each["bom-ref"].startswith(kind)}


def test_python_packages_are_listed_exactly(cluster: Cluster, bill: dict[str, Any]) -> None:
    found = json.loads(exec_in_operator(cluster, "/opt/roadstead/bin/python", "-c", PYTHON))
    assert components(bill, "pypi:") == {(canonical(name), version) for name, version in found}


def test_debian_packages_are_listed_exactly(cluster: Cluster, bill: dict[str, Any]) -> None:
    lines = [line.split() for line in exec_in_operator(cluster, *DPKG).splitlines()]
    installed = {(name, version) for state, name, version in lines if state == "installed"}
    assert components(bill, "deb:") == installed


def test_python_packages_have_a_hash_and_a_licence(bill: dict[str, Any]) -> None:
    for each in bill["components"]:
        if each["bom-ref"].startswith("pypi:"):
            assert each["hashes"][0]["alg"] == "SHA-256"
            assert each["licenses"]
