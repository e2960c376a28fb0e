"""install.yaml of a release is applied to a real API server, after the commands in its header."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from dev import binaries
from dev.release import chart_package, install_manifest
from dev.servers.apiserver import running
from tests.support.charts import CHART, IMAGE


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    package = chart_package.package(CHART, IMAGE)
    (folder / package.file_name).write_bytes(package.archive)
    text = install_manifest.render(folder / package.file_name, "0.1.0")
    (folder / "install.yaml").write_text(text)
    return folder / "install.yaml"


def commands(manifest: Path) -> str:
    """The commands of the header, from `create namespace` to `apply`."""
    lines = manifest.read_text().partition("\n---\n")[0].splitlines()
    return "\n".join(line.removeprefix("#   ") for line in lines if line.startswith("#   "))


def test_manifest_is_applied_with_the_keys_of_its_header(manifest: Path, tmp_path: Path) -> None:
    programs = binaries.ensure("etcd", "kube-apiserver", "kubectl")
    with running(programs, tmp_path) as server:
        folder = str(programs["kubectl"].parent)
        env = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "KUBECONFIG": str(server.kubeconfig),
        }
        script = ["bash", "-euo", "pipefail", "-c", commands(manifest)]
        done = subprocess.run(script, cwd=manifest.parent, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        secret = ["get", "secret", "roadstead-ledger-owner", "-n", install_manifest.NAMESPACE]
        shown = subprocess.run(
            [programs["kubectl"], *secret, "-o", "json"], env=env, capture_output=True, check=True
        )
    dsn = base64.b64decode(json.loads(shown.stdout)["data"]["dsn"]).decode()
    assert dsn.startswith("postgresql://roadstead_owner:")
    assert "@roadstead-postgres.roadstead-system.svc:5432/roadstead" in dsn


def test_manifest_is_the_same_each_time(manifest: Path) -> None:
    chart = next(manifest.parent.glob("*.tgz"))
    assert install_manifest.render(chart, "0.1.0") == manifest.read_text()
