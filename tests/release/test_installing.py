"""A release is installed from its registry, and its images have what they must have."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import yaml

from dev import binaries
from dev.release import release_build
from dev.servers.apiserver import running
from tests.release.published import Published

AARCH64 = 183
"""e_machine of ELF."""
VALUES = {
    "gateway": {"kind": "none"},
    "minio": {"persistence": {"enabled": False}},
    "postgres": {"persistence": {"enabled": False}},
}


def unpack(published: Published, architecture: str, folder: Path) -> Path:
    """The root file system of an architecture's image."""
    blobs = published.dist / release_build.LAYOUT / "blobs" / "sha256"
    digest = published.pushed.architectures[architecture]
    manifest = json.loads((blobs / digest.removeprefix("sha256:")).read_text())
    for layer in manifest["layers"]:
        with tarfile.open(blobs / layer["digest"].removeprefix("sha256:")) as tar:
            tar.extractall(folder, filter="tar")
    return folder


def elf_machine(path: Path) -> int | None:
    """The processor that a program or library is for; None for other files."""
    with path.open("rb") as stream:
        head = stream.read(20)
    return int.from_bytes(head[18:20], "little") if head.startswith(b"\x7fELF") else None


def test_chart_is_installed_from_the_registry(published: Published, tmp_path: Path) -> None:
    programs = binaries.ensure("etcd", "kube-apiserver", "kubectl", "helm")
    chart = [f"oci://{published.settings.charts}/roadstead", "--version", "0.1.0", "--plain-http"]
    # No controller runs the Job that Helm would wait for.
    command = [
        "install",
        "roadstead",
        *chart,
        "-n",
        "roadstead",
        "--create-namespace",
        "--no-hooks",
    ]
    with running(programs, tmp_path) as server:
        env = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(server.kubeconfig)}
        subprocess.run(
            [programs["helm"], *command, "-f", "-"],
            cwd=tmp_path,
            env=env,
            input=json.dumps(VALUES).encode(),
            check=True,
        )
        wanted = ["get", "deployment", "roadstead-operator", "-n", "roadstead", "-o", "json"]
        shown = subprocess.run(
            [programs["kubectl"], *wanted], env=env, capture_output=True, check=True
        )
    (container,) = json.loads(shown.stdout)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{published.settings.image}:0.1.0@{published.pushed.image}"


def test_install_manifest_uses_listed_images(published: Published) -> None:
    documents = yaml.safe_load_all((published.dist / "install.yaml").read_text())
    listed = (published.dist / "images.txt").read_text().splitlines()
    pods = [
        each["spec"]["template"]["spec"]
        for each in documents
        if each and each["kind"] in ("Deployment", "StatefulSet", "Job")
    ]
    assert pods
    assert {each["image"] for pod in pods for each in pod["containers"]} <= set(listed)


def test_program_of_this_machine_runs_in_its_image(published: Published, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()  # pytest's folder is root's alone
    unpack(published, "amd64", root)
    variables = ["PATH=/opt/roadstead/bin:/usr/bin", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"]
    command = ["chroot", "--userspec=65532:65532", str(root), "/usr/bin/env", "-i", *variables]
    code = (
        "import ssl, sqlite3, asyncpg, kopf, kubernetes.aio, minio, roadstead.__main__\n"
        "print(len(ssl.create_default_context().get_ca_certs()))"
    )
    done = subprocess.run([*command, "python", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    assert (root / "etc" / "nsswitch.conf").is_file()
    assert subprocess.run([*command, "roadstead", "--help"], capture_output=True).returncode == 0


def test_programs_of_the_other_image_are_for_its_processor(
    published: Published, tmp_path: Path
) -> None:
    root = unpack(published, "arm64", tmp_path)
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    machines = {str(path.relative_to(root)): elf_machine(path) for path in files}
    found = {path: machine for path, machine in machines.items() if machine is not None}
    assert len(found) > 100
    assert {path for path, machine in found.items() if machine != AARCH64} == set()
