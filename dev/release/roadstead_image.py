"""Roadstead's own image for one architecture: its layers and its configuration."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from dev.errors import BuildFailed
from dev.release import deb_package, debian_archive, debian_root, image_sbom, python_layers
from dev.release import wheel_download as wheels
from dev.release.compiled_python import ByteCode
from dev.release.debian_lock import LockedPackage
from dev.release.layer import Layer, LayerEntry, file, pack
from dev.release.wheel_download import Wheel

SBOM_PATH = "usr/share/roadstead/sbom.cdx.json"
_DOWNLOADS = 4

LABELS = {
    "org.opencontainers.image.title": "Roadstead",
    "org.opencontainers.image.description": "Serves GGUF models on premises under contract",
    "org.opencontainers.image.licenses": "Apache-2.0",
}


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """What the image of an architecture is made of."""

    architecture: str
    packages: Sequence[LockedPackage]
    wheels: Sequence[Wheel]
    program: Wheel
    """Our own wheel."""
    created: datetime


@dataclass(frozen=True, kw_only=True)
class RoadsteadImage:
    """The image of an architecture."""

    inputs: ImageInputs
    layers: Sequence[Layer]
    sbom: str
    """CycloneDX, JSON; also a file in the image."""


def gather(
    architecture: str,
    locked: Sequence[LockedPackage],
    requirements: Path,
    program: Wheel,
    epoch: int,
) -> ImageInputs:
    """Download what the image needs. Raises DevError if something is unavailable."""
    return ImageInputs(
        architecture=architecture,
        packages=[each for each in locked if each.architecture == architecture],
        wheels=wheels.download(requirements, architecture),
        program=program,
        created=datetime.fromtimestamp(epoch, UTC),
    )


def build(inputs: ImageInputs, compiler: ByteCode) -> RoadsteadImage:
    """Make the layers: Debian, the dependencies, the program, the bill of materials."""
    fetch = partial(debian_archive.fetch, archives=debian_archive.archives())
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        files = list(pool.map(fetch, inputs.packages))
    packages = [deb_package.read(each) for each in files]
    system = debian_root.entries(packages)
    environment = python_layers.environment(python_version(inputs.packages))
    dependencies = [*environment, *python_layers.dependencies(inputs.wheels)]
    program = python_layers.program(inputs.program)
    sbom = image_sbom.document(
        [*system, *dependencies, *program],
        {each.package: each.sha256 for each in inputs.wheels},
        inputs.created,
    )
    contents: Sequence[tuple[Sequence[LayerEntry], str]] = (
        (system, "Debian packages"),
        (dependencies, "Python packages"),
        (program, "Roadstead"),
    )
    layers = [pack([*each, *compiler.entries(each)], name) for each, name in contents]
    layers.append(pack([file(SBOM_PATH, sbom)], "Bill of materials"))
    return RoadsteadImage(inputs=inputs, layers=layers, sbom=sbom)


def python_version(packages: Sequence[LockedPackage]) -> str:
    """Python's version without Debian's revision, such as 3.11.2."""
    for each in packages:
        if each.name == f"python{wheels.PYTHON}":
            return re.split(r"[-+~]", each.version)[0]
    raise BuildFailed(f"the lock has no python{wheels.PYTHON}: run `make lock`")


def config(image: RoadsteadImage, labels: Mapping[str, str]) -> dict[str, Any]:
    """The image's configuration (image-spec, config.md), as in the Dockerfile."""
    created = image.inputs.created.isoformat().replace("+00:00", "Z")
    return {
        "created": created,
        "architecture": image.inputs.architecture,
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Env": [
                "PATH=/opt/roadstead/bin:/usr/bin:/bin",
                "HOME=/tmp",
                "LOGNAME=roadstead",
                "PYTHONDONTWRITEBYTECODE=1",
                "PYTHONUNBUFFERED=1",
            ],
            "Entrypoint": ["roadstead"],
            "WorkingDir": "/tmp",  # noqa: S108 - in the image
            "Labels": dict(labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in image.layers]},
        "history": [{"created": created, "comment": each.comment} for each in image.layers],
    }
