"""A docker-archive of one static program, written without an image tool.

The same program results in the same bytes, so the cache's key is that of the content.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import cache

NOBODY = "65534:65534"


@dataclass(frozen=True, kw_only=True)
class ProgramImage:
    """An image `FROM scratch` with `program` as /<its name>, which it runs."""

    reference: str
    program: Path
    arguments: Sequence[str] = ()


def ensure(image: ProgramImage) -> Path:
    """The archive in the cache; it is written if it is missing."""
    settings = json.dumps([image.reference, list(image.arguments)])
    name = image.program.name
    key = cache.key(settings, cache.file_digest(image.program))
    archive = cache.root() / "images" / f"{name}-{key}.tar"
    if not archive.exists():
        with cache.staging(archive) as staged:
            write(image, staged / archive.name)
            (staged / archive.name).replace(archive)
    return archive


def write(image: ProgramImage, target: Path) -> None:
    """Write the archive: a layer, a config that names it, a manifest that names both."""
    layer = _tar({image.program.name: image.program.read_bytes()}, mode=0o755)
    config = json.dumps(_config(image, hashlib.sha256(layer).hexdigest())).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
    parts = {
        "layer.tar": layer,
        config_name: config,
        "manifest.json": json.dumps(manifest).encode(),
    }
    target.write_bytes(_tar(parts, mode=0o644))


def _config(image: ProgramImage, layer_digest: str) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [f"/{image.program.name}", *image.arguments],
            "User": NOBODY,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    """A tar without timestamps and owners: the bytes depend on the content alone."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()
