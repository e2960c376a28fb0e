"""`python -m dev.checks.sbom` builds the image and prints the bill of materials in it."""

import json
import sys
import tarfile
from pathlib import Path

from dev.errors import DevError
from dev.images import ensure
from dev.terminal import say

PLACE = "usr/share/roadstead/sbom.cdx.json"


def read(archive: Path, place: str) -> bytes:
    """A file out of a docker-archive; DevError where no layer has it."""
    with tarfile.open(archive) as image:
        layers = json.loads(_content(image, "manifest.json"))[0]["Layers"]
        for layer in reversed(layers):
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                if place in files.getnames():
                    return _content(files, place)
    raise DevError(f"{archive} has no {place}")


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None, f"{name} is no file"
    return stream.read()


def main() -> int:
    """Print it; what went wrong is said without a traceback."""
    try:
        print(read(ensure("roadstead")["roadstead"], PLACE).decode(), end="")
    except DevError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
