"""Users verify a release offline: files, image, chart, and what they were made from."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dev import binaries
from dev.release import release_build, signing
from tests.release.published import CHECKOUT, Published, build, run, verify

VERIFY = CHECKOUT / "docs" / "how-to" / "verify.md"


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
    blocks = re.findall(r"^```sh\n(.*?)^```", VERIFY.read_text(), re.MULTILINE | re.DOTALL)
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
