"""Makes the files of a release. docs/contributing/releasing.md lists them."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.release import (
    changelog,
    chart_package,
    debian_lock,
    debian_root,
    install_manifest,
    provenance,
    python_layers,
    roadstead_image,
)
from dev.release.compiled_python import ByteCode
from dev.release.oci_layout import IMAGE_CONFIG, IMAGE_LAYER, Descriptor, OciLayout
from dev.release.release_settings import ReleaseSettings
from dev.release.roadstead_image import LABELS, RoadsteadImage
from dev.terminal import echo

LAYOUT = "oci"
CHECKSUMS = "SHA256SUMS"
PROVENANCE = "provenance.intoto.json"
IMAGE_TAG = "image"
CHART_TAG = "chart"
_PLATFORMS: Mapping[str, Mapping[str, str]] = {
    "amd64": {"os": "linux", "architecture": "amd64"},
    "arm64": {"os": "linux", "architecture": "arm64", "variant": "v8"},
}


@dataclass(frozen=True, kw_only=True)
class Release:
    """The digests of a release."""

    image: str
    """Of the index of all architectures."""
    architectures: Mapping[str, str]
    chart: str


def build(settings: ReleaseSettings, dist: Path) -> Release:
    """Write all files into `dist`, which is replaced. Raises DevError."""
    debian_root.require_programs()
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    images = _build_images(settings, dist)
    layout = OciLayout(dist / LAYOUT)
    manifests = {each.inputs.architecture: _add_image(layout, each, settings) for each in images}
    index = layout.add_index(list(manifests.values()), _labels(settings))
    layout.tag(IMAGE_TAG, index)
    chart = _write_chart(settings, layout, index, dist)
    layout.finish()
    for each in images:
        (dist / sbom_name(each.inputs.architecture)).write_text(each.sbom)
    notes = changelog.notes((settings.source / "CHANGELOG.md").read_text(), settings.version)
    (dist / "release-notes.md").write_text(notes)
    release = Release(
        image=index.digest,
        architectures={name: each.digest for name, each in manifests.items()},
        chart=chart.digest,
    )
    _write_provenance(settings, release, images, dist)
    write_checksums(dist)
    return release


def sbom_name(architecture: str) -> str:
    """Name of the bill of materials of an architecture's image."""
    return f"sbom-{architecture}.cdx.json"


def _build_images(settings: ReleaseSettings, dist: Path) -> list[RoadsteadImage]:
    locked = debian_lock.parse(debian_lock.LOCK.read_text())
    program = python_layers.build_wheel(settings.source, dist, settings.epoch)
    compiler = ByteCode()
    images = []
    for architecture in debian_lock.ARCHITECTURES:
        echo(f"making the image for {architecture}")
        inputs = roadstead_image.gather(
            architecture,
            locked,
            settings.source / "requirements.txt",
            program,
            settings.epoch,
        )
        images.append(roadstead_image.build(inputs, compiler))
    return images


def _labels(settings: ReleaseSettings) -> dict[str, str]:
    return {
        **LABELS,
        "org.opencontainers.image.version": settings.version,
        "org.opencontainers.image.revision": settings.commit,
    }


def _add_image(layout: OciLayout, image: RoadsteadImage, settings: ReleaseSettings) -> Descriptor:
    labels = _labels(settings)
    config = layout.add_json(IMAGE_CONFIG, roadstead_image.config(image, labels))
    layers = [layout.add(IMAGE_LAYER, each.blob) for each in image.layers]
    manifest = layout.add_manifest(config, layers, labels)
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        platform=_PLATFORMS[image.inputs.architecture],
    )


def _write_chart(
    settings: ReleaseSettings, layout: OciLayout, index: Descriptor, dist: Path
) -> Descriptor:
    """The chart, and what is rendered from it: install.yaml and images.txt."""
    reference = f"{settings.image}:{settings.version}@{index.digest}"
    chart = chart_package.package(settings.source / "chart", reference)
    archive = dist / chart.file_name
    archive.write_bytes(chart.archive)
    (dist / "install.yaml").write_text(install_manifest.render(archive, settings.version))
    values = (settings.source / "chart" / "values.yaml").read_text()
    found = yaml.safe_load(chart_package.with_image(values, reference))
    (dist / "images.txt").write_text("".join(f"{x}\n" for x in install_manifest.images(found)))
    descriptor = chart_package.add_to(layout, chart)
    layout.tag(CHART_TAG, descriptor)
    return descriptor


def _write_provenance(
    settings: ReleaseSettings, release: Release, images: Sequence[RoadsteadImage], dist: Path
) -> None:
    subjects = {path.name: _sha256(path) for path in dist.iterdir() if path.is_file()}
    subjects[settings.image] = release.image.removeprefix("sha256:")
    subjects[f"{settings.charts}/roadstead"] = release.chart.removeprefix("sha256:")
    for name, digest in release.architectures.items():
        subjects[f"{settings.image} ({name})"] = digest.removeprefix("sha256:")
    packages = [each for image in images for each in image.inputs.packages]
    wheels = [each for image in images for each in image.inputs.wheels]
    text = provenance.statement(subjects, provenance.predicate(settings, packages, wheels))
    (dist / PROVENANCE).write_text(text)


def write_checksums(dist: Path) -> None:
    """SHA256SUMS over all files, as sha256sum(1) reads it."""
    files = sorted(path for path in dist.rglob("*") if path.is_file())
    rows = (f"{_sha256(path)}  {path.relative_to(dist).as_posix()}\n" for path in files)
    (dist / CHECKSUMS).write_text("".join(list(rows)))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
