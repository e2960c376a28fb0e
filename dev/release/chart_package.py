"""The chart as a .tgz and as an OCI artifact, with the released image as its default."""

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.errors import BuildFailed
from dev.release.layer import LAYER_TIME, compress
from dev.release.oci_layout import Descriptor, OciLayout

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

_IMAGE = re.compile(r'(?m)^  roadstead: ""$')


@dataclass(frozen=True, kw_only=True)
class ChartPackage:
    """A packaged chart."""

    metadata: dict[str, Any]
    """Chart.yaml."""
    archive: bytes

    @property
    def file_name(self) -> str:
        """As `helm package` names it."""
        return f"{self.metadata['name']}-{self.metadata['version']}.tgz"


def package(chart: Path, image: str) -> ChartPackage:
    """Package the chart's folder. `image` becomes the value images.roadstead."""
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in _contents(chart, image):
            member = tarfile.TarInfo(f"{metadata['name']}/{path}")
            member.size, member.mtime, member.mode = len(content), LAYER_TIME, 0o644
            tar.addfile(member, io.BytesIO(content))
    return ChartPackage(metadata=metadata, archive=compress(buffer.getvalue()))


def _contents(chart: Path, image: str) -> Iterator[tuple[str, bytes]]:
    """Chart.yaml first, as Helm writes it."""
    files = (path.relative_to(chart) for path in chart.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda each: (each.name != "Chart.yaml", each.as_posix())):
        content = (chart / path).read_bytes()
        if path.as_posix() == "values.yaml":
            content = with_image(content.decode(), image).encode()
        yield path.as_posix(), content


def with_image(values: str, image: str) -> str:
    """values.yaml with the image's reference as default."""
    text, count = _IMAGE.subn(f"  roadstead: {image}", values)
    if count != 1:
        raise BuildFailed('chart/values.yaml has no line `  roadstead: ""` below images')
    return text


def add_to(layout: OciLayout, chart: ChartPackage) -> Descriptor:
    """Write the artifact that `helm install oci://...` reads."""
    config = {key: value for key, value in chart.metadata.items() if value is not None}
    annotations = {
        "org.opencontainers.image.title": chart.metadata["name"],
        "org.opencontainers.image.description": chart.metadata["description"],
        "org.opencontainers.image.version": chart.metadata["version"],
    }
    return layout.add_manifest(
        layout.add_json(CONFIG, config), [layout.add(CONTENT, chart.archive)], annotations
    )
