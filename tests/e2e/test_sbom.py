"""The bill of materials of the image, held against what is in a running container."""

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


def inside(cluster: Cluster, *command: str) -> str:
    """What a command prints in one of the operator's containers."""
    return cluster.run("-n", NAMESPACE, "exec", "deployment/roadstead-operator", "--", *command)


@pytest.fixture(scope="module")
def bill(cluster: Cluster) -> dict[str, Any]:
    """As it stands in the image."""
    found: dict[str, Any] = json.loads(inside(cluster, "cat", f"/{PLACE}"))
    return found


def listed(bill: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    """Names and versions of the components of one kind of package."""
    parts = [*bill["components"], bill["metadata"]["component"]]
    return {(each["name"], each["version"]) for each in parts if each["bom-ref"].startswith(kind)}


def test_it_lists_python_s_packages_and_no_other(cluster: Cluster, bill: dict[str, Any]) -> None:
    found = json.loads(inside(cluster, "/opt/roadstead/bin/python", "-c", PYTHON))
    assert listed(bill, "pypi:") == {(canonical(name), version) for name, version in found}


def test_it_lists_debian_s_packages_and_no_other(cluster: Cluster, bill: dict[str, Any]) -> None:
    lines = [line.split() for line in inside(cluster, *DPKG).splitlines()]
    installed = {(name, version) for state, name, version in lines if state == "installed"}
    assert listed(bill, "deb:") == installed


def test_each_of_python_s_packages_has_a_hash_and_a_licence(bill: dict[str, Any]) -> None:
    for each in bill["components"]:
        if each["bom-ref"].startswith("pypi:"):
            assert each["hashes"][0]["alg"] == "SHA-256"
            assert each["licenses"]
