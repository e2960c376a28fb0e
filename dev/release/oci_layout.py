"""An OCI image layout (image-spec v1.1): a folder with blobs by digest and an index of tags."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.release.layer import digest

IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_TAG = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A reference to a blob (image-spec, descriptor.md)."""

    media_type: str
    digest: str
    size: int
    platform: Mapping[str, str] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The descriptor as JSON has it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.platform:
            found["platform"] = dict(self.platform)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


class OciLayout:
    """A layout that is written to `folder`, which must not exist or be empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tags: dict[str, Descriptor] = {}
        (folder / "blobs" / "sha256").mkdir(parents=True)

    def add(self, media_type: str, content: bytes) -> Descriptor:
        """Write a blob."""
        name = digest(content)
        (self._folder / "blobs" / "sha256" / name.removeprefix("sha256:")).write_bytes(content)
        return Descriptor(media_type=media_type, digest=name, size=len(content))

    def add_json(self, media_type: str, document: Mapping[str, Any]) -> Descriptor:
        """Write a document as a blob."""
        return self.add(media_type, encode(document))

    def add_manifest(
        self,
        config: Descriptor,
        layers: Sequence[Descriptor],
        annotations: Mapping[str, str],
    ) -> Descriptor:
        """Write the manifest of an image or of another artifact."""
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "config": config.document(),
            "layers": [each.document() for each in layers],
            "annotations": dict(annotations),
        }
        return self.add_json(IMAGE_MANIFEST, document)

    def add_index(
        self, manifests: Sequence[Descriptor], annotations: Mapping[str, str]
    ) -> Descriptor:
        """Write an index of the images of several platforms."""
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE_INDEX,
            "manifests": [each.document() for each in manifests],
            "annotations": dict(annotations),
        }
        return self.add_json(IMAGE_INDEX, document)

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Name a manifest or index in the layout's own index."""
        self._tags[name] = descriptor

    def finish(self) -> None:
        """Write the files that make the folder a layout."""
        entries = [
            {**each.document(), "annotations": {_TAG: name}} for name, each in self._tags.items()
        ]
        index = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}
        (self._folder / "index.json").write_bytes(encode(index))
        (self._folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: a document has one digest."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
