"""Pushes a release to its registry, signs what was pushed, and attests what it was made of."""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import binaries
from dev.errors import BuildFailed, DevError
from dev.release import signing
from dev.release.release_build import (
    CHART_TAG,
    CHECKSUMS,
    IMAGE_TAG,
    LAYOUT,
    PROVENANCE,
    sbom_name,
)
from dev.release.release_settings import ReleaseSettings
from dev.release.signing import SigningKey
from dev.terminal import echo

_LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """Digests in a layout."""

    image: str
    architectures: dict[str, str]
    chart: str


def publish(settings: ReleaseSettings, dist: Path, key: SigningKey | None) -> None:
    """Push the images and the chart; sign them if there is a key. Raises DevError."""
    verify_checksums(dist)
    found = digests(dist / LAYOUT)
    image = f"{settings.image}:{settings.version}"
    chart = f"{settings.charts}/roadstead:{settings.version}"
    _require_registry(settings, dist)
    for tag, target in ((IMAGE_TAG, image), (CHART_TAG, chart)):
        _copy(dist / LAYOUT, tag, target)
        echo(f"pushed {target}")
    if key is None:
        echo("COSIGN_KEY is not set: what was pushed is not signed")
        return
    _sign(settings, dist, key, found)


def _require_registry(settings: ReleaseSettings, dist: Path) -> None:
    """Raises DevError if the chart in `dist` names the image at another registry."""
    wanted = f"{settings.image}:{settings.version}@"
    if wanted not in (dist / "images.txt").read_text():
        raise DevError(f"dist/ was not made for {wanted}: run `make release` with this REGISTRY")


def verify_checksums(dist: Path) -> None:
    """Raises DevError with the file that differs from SHA256SUMS."""
    try:
        rows = (dist / CHECKSUMS).read_text().splitlines()
    except FileNotFoundError:
        raise DevError(f"{dist} has no release: run `make release`") from None
    for row in rows:
        sha256, name = row.split("  ", 1)
        with (dist / name).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise DevError(f"{dist / name} differs from {CHECKSUMS}: run `make release`")


def digests(layout: Path) -> Pushed:
    """The digests that a layout's tags name."""
    tagged = {
        each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"]
        for each in json.loads((layout / "index.json").read_text())["manifests"]
    }
    return Pushed(
        image=tagged[IMAGE_TAG],
        architectures=dict(_architectures(layout, tagged[IMAGE_TAG])),
        chart=tagged[CHART_TAG],
    )


def _architectures(layout: Path, index: str) -> Iterator[tuple[str, str]]:
    document: dict[str, Any] = json.loads(
        (layout / "blobs" / "sha256" / index.removeprefix("sha256:")).read_text()
    )
    for each in document["manifests"]:
        yield each["platform"]["architecture"], each["digest"]


def _copy(layout: Path, tag: str, target: str) -> None:
    program = binaries.ensure("oras")["oras"]
    command = [str(program), "cp", "--no-tty", "--from-oci-layout", f"{layout}:{tag}", target]
    # Kubernetes and Docker reach a registry on this machine without TLS too.
    if target.split("/")[0].split(":")[0] in _LOOPBACK:
        command.append("--to-plain-http")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(
            f"pushing {target} failed:\n{done.stderr.strip()}\nLog in with `docker login` or "
            "`oras login` if the registry requires it."
        )


def _sign(settings: ReleaseSettings, dist: Path, key: SigningKey, found: Pushed) -> None:
    chart = f"{settings.charts}/roadstead@{found.chart}"
    image = f"{settings.image}@{found.image}"
    for reference in (image, chart):
        signing.sign_image(key, reference)
        echo(f"signed {reference}")
    for architecture, digest in found.architectures.items():
        signing.attest(
            key, f"{settings.image}@{digest}", "cyclonedx", dist / sbom_name(architecture)
        )
    statement = json.loads((dist / PROVENANCE).read_text())
    with tempfile.TemporaryDirectory(prefix="roadstead-release-") as folder:
        predicate = Path(folder) / "predicate.json"
        predicate.write_text(json.dumps(statement["predicate"]))
        for reference in (image, chart):
            signing.attest(key, reference, "slsaprovenance1", predicate)
    echo("attested the bills of materials and the provenance")
