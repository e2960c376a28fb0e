"""The embedded gateway keeps objects of different namespaces apart, whatever their names."""

import json
import os
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dev.binaries import ensure
from dev.gateway.crds import CHART_FILE
from dev.servers import process
from dev.servers.process import answers, free_port
from tests.apiserver.conftest import Kubectl
from tests.support.charts import EMBEDDED_GATEWAY, Chart
from tests.support.waiting import wait_until

OBJECTS = (("b-c", "a"), ("b", "c-a"))
"""Namespaces and names that are the same text once they are joined by a dash."""
LABELS = {"app.kubernetes.io/managed-by": "roadstead", "app.kubernetes.io/name": "server"}
START_SECONDS = 60.0


def middleware(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": {"namespace": namespace, "name": name, "labels": LABELS},
        "spec": {"stripPrefix": {"prefixes": [f"/{namespace}/{name}"]}},
    }


@pytest.fixture
def middlewares(kubectl: Kubectl) -> None:
    """Two Middlewares, with Traefik's definitions."""
    for arguments in (
        ("apply", "--server-side", "-f", str(CHART_FILE)),
        ("wait", "--for=condition=Established", "crd/middlewares.traefik.io"),
        *(("create", "namespace", namespace) for namespace, _ in OBJECTS),
    ):
        done = kubectl(*arguments)
        assert done.returncode == 0, done.stderr
    items = [middleware(*each) for each in OBJECTS]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    assert kubectl("apply", "-f", "-", manifest=manifest).returncode == 0


@pytest.fixture
def gateway_api(middlewares: None, kubeconfig: Path, tmp_path: Path) -> Iterator[str]:
    """The API of Traefik with the provider's settings of the chart."""
    rendered = Chart(helm=ensure("helm")["helm"]).render(EMBEDDED_GATEWAY)
    pod = rendered.one("Deployment", "roadstead-gateway")["spec"]["template"]["spec"]
    settings = [each for each in pod["containers"][0]["args"] if "kubernetesCRD" in each]
    port, program = free_port(), ensure("traefik")["traefik"]
    url = f"http://127.0.0.1:{port}"
    own = [f"--entryPoints.traefik.address=127.0.0.1:{port}", "--ping=true"]
    with process.running(
        "Traefik",
        [str(program), *settings, *own, "--api.insecure=true", "--api.dashboard=false"],
        tmp_path / "traefik.log",
        partial(answers, f"{url}/ping"),
        seconds=START_SECONDS,
        env={"KUBECONFIG": str(kubeconfig), "PATH": os.environ["PATH"]},
    ):
        yield url


def prefixes(url: str) -> list[str]:
    """What the middlewares that Traefik has read remove."""
    with urllib.request.urlopen(f"{url}/api/http/middlewares") as answer:
        found = json.load(answer)
    return sorted(
        each["stripPrefix"]["prefixes"][0] for each in found if each["provider"] == "kubernetescrd"
    )


def test_middlewares_of_two_namespaces_do_not_replace_each_other(gateway_api: str) -> None:
    wait_until(lambda: prefixes(gateway_api) == ["/b-c/a", "/b/c-a"], seconds=30)
