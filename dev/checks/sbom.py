"""`python -m dev.checks.sbom` builds the image and prints the bill of materials in it."""

import json
import sys
import tarfile
from pathlib import Path

from dev.errors import DevError
from dev.images import ensure
from dev.terminal import echo

PLACE = "usr/share/roadstead/sbom.cdx.json"


def read(archive: Path, place: str) -> bytes:
    """A file in a docker-archive. Raises DevError if no layer has it."""
    with tarfile.open(archive) as image:
        layers = json.loads(_content(image, "manifest.json"))[0]["Layers"]
        for layer in reversed(layers):
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                if place in files.getnames():
                    return _content(files, place)
    raise DevError(f"{archive} does not contain {place}")


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None, f"{name} is not a regular file"
    return stream.read()


def main() -> int:
    """Print it; errors are printed without a traceback."""
    try:
        print(read(ensure("roadstead")["roadstead"], PLACE).decode(), end="")
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
