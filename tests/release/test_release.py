"""Users get, install and verify a release from a registry, without the repository.

Each release is built from a copy of the checkout's files, in two folders, one after the other:
that takes a minute each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dev import binaries
from dev.release import publishing, release_build, signing
from dev.release.publishing import Pushed
from dev.release.release_settings import ReleaseSettings
from dev.release.signing import SigningKey
from dev.servers.registry import registry

CHECKOUT = Path(__file__).parents[2]
VERIFY = CHECKOUT / "docs" / "how-to" / "verify.md"
PASSWORD = {"COSIGN_PASSWORD": "test"}
AARCH64 = 183
"""e_machine of ELF."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A release in a registry, and the files of `dist/`."""

    settings: ReleaseSettings
    dist: Path
    pushed: Pushed

    @property
    def image(self) -> str:
        return f"{self.settings.image}@{self.pushed.image}"


def copy_checkout(folder: Path) -> Path:
    """The files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / name, folder / name)
    return folder


def build(folder: Path, address: str) -> tuple[ReleaseSettings, Path]:
    settings = ReleaseSettings(
        source=copy_checkout(folder / "checkout"),
        version="0.1.0",
        commit="ab" * 20,
        epoch=1_790_000_000,
        registry=f"{address}/roadstead",
    )
    release_build.build(settings, folder / "dist")
    return settings, folder / "dist"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    folder = tmp_path_factory.mktemp("key")
    run("cosign", "generate-key-pair", cwd=folder)
    return SigningKey(str(folder / "cosign.key"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, address: str, key: SigningKey) -> Published:
    settings, dist = build(tmp_path_factory.mktemp("first"), address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", PASSWORD["COSIGN_PASSWORD"])
        signing.sign_checksums(key, dist)
        publishing.publish(settings, dist, key)
    return Published(
        settings=settings, dist=dist, pushed=publishing.digests(dist / release_build.LAYOUT)
    )


def run(name: str, *arguments: str, cwd: Path, check: bool = True) -> str:
    program = binaries.ensure(name)[name]
    environment = {**os.environ, **PASSWORD, "HOME": str(cwd)}
    done = subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout if done.returncode == 0 else ""


def verify(published: Published, what: str, *arguments: str) -> str:
    """As in docs/how-to/verify.md; empty if the verification fails."""
    offline = ["--key", "cosign.pub", "--insecure-ignore-tlog"]
    return run("cosign", what, *offline, *arguments, cwd=published.dist, check=False)


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


def test_second_build_in_another_folder_has_the_same_files(
    published: Published, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    _, dist = build(tmp_path, address)
    first, second = (
        (each / release_build.CHECKSUMS).read_text() for each in (published.dist, dist)
    )
    assert second == first


def test_checksums_are_those_of_sha256sum(published: Published) -> None:
    command = ["sha256sum", "--check", "--quiet", release_build.CHECKSUMS]
    subprocess.run(command, cwd=published.dist, check=True)


def test_signature_of_the_checksums_is_verified_offline(published: Published) -> None:
    bundle = ["--bundle", signing.BUNDLE]
    offline = ["--key", "cosign.pub", "--insecure-ignore-tlog"]
    command = ["verify-blob", *offline, *bundle, release_build.CHECKSUMS]
    run("cosign", *command, cwd=published.dist)
    changed = published.dist.parent / "changed"
    changed.write_text((published.dist / release_build.CHECKSUMS).read_text() + "\n")
    assert not verify(published, "verify-blob", *bundle, str(changed))


def test_image_and_chart_are_signed(published: Published) -> None:
    chart = f"{published.settings.charts}/roadstead@{published.pushed.chart}"
    assert published.pushed.image in verify(published, "verify", published.image)
    assert published.pushed.chart in verify(published, "verify", chart)


def test_image_is_not_verified_with_another_key(published: Published, tmp_path: Path) -> None:
    run("cosign", "generate-key-pair", cwd=tmp_path)
    command = ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog", published.image]
    assert not run("cosign", *command, cwd=tmp_path, check=False)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_bill_of_materials_is_attested(published: Published, architecture: str) -> None:
    digest = published.pushed.architectures[architecture]
    image = f"{published.settings.image}@{digest}"
    assert verify(published, "verify-attestation", "--type", "cyclonedx", image)


def test_provenance_is_attested(published: Published) -> None:
    kind = ["--type", "slsaprovenance1"]
    assert verify(published, "verify-attestation", *kind, published.image)


def test_commands_of_the_page_verify_the_release(published: Published) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", VERIFY.read_text(), re.MULTILINE | re.DOTALL)
    commands = [each for each in blocks if not each.startswith("helm install")]
    assert len(commands) == len(blocks) - 1
    script = "".join(commands).replace("REGISTRY", published.settings.registry)
    script = script.replace("sha256:...", published.pushed.architectures["arm64"])
    # The registry of this test has no TLS.
    script = script.replace("oras manifest fetch", "oras manifest fetch --plain-http")
    folders = {str(path.parent) for path in binaries.ensure("cosign", "oras").values()}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=published.dist,
        env={**os.environ, "PATH": ":".join([*folders, os.environ["PATH"]])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f'"gitCommit": "{published.settings.commit}"' in done.stdout


def test_chart_in_the_registry_renders_without_the_repository(
    published: Published, tmp_path: Path
) -> None:
    chart = [f"oci://{published.settings.charts}/roadstead", "--version", "0.1.0", "--plain-http"]
    text = run("helm", "template", "roadstead", *chart, "--kube-version", "1.37.0", cwd=tmp_path)
    operator = next(
        each
        for each in yaml.safe_load_all(text)
        if each and each["kind"] == "Deployment" and each["metadata"]["name"].endswith("operator")
    )
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(f"/roadstead:0.1.0@{published.pushed.image}")


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
