"""The wheels of an architecture, downloaded by the hashes in requirements.txt, and their files.

Nothing is built and nothing of them runs. The lock has no environment markers, so the same packages
are installed on each architecture.
"""

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed
from dev.release.layer import LayerEntry, file

PYTHON = "3.11"
"""Python of Debian 12."""
_GLIBC = 36
"""Debian 12 has glibc 2.36: wheels may require any older one."""
_OLDEST_GLIBC = 17
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

SITE_PACKAGES = f"opt/roadstead/lib/python{PYTHON}/site-packages"


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A downloaded wheel."""

    name: str
    """Of its file: name, version and tags."""
    sha256: str
    content: bytes

    @property
    def package(self) -> str:
        """The package's name, as in its file's name."""
        return self.name.split("-")[0]

    @property
    def version(self) -> str:
        return self.name.split("-")[1]


def download(requirements: Path, architecture: str) -> list[Wheel]:
    """The locked packages' wheels. Raises BuildFailed without a network or a suitable wheel."""
    with cache.staging(cache.root() / "release" / f"wheels-{architecture}") as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        command += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", PYTHON]
        command += [part for tag in platforms(architecture) for part in ("--platform", tag)]
        command += ["-r", str(requirements), "-d", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise BuildFailed(f"`pip download` for {architecture} failed:\n{done.stderr.strip()}")
        return [read(path) for path in sorted(folder.glob("*.whl"))]


def platforms(architecture: str) -> list[str]:
    """Platform tags that the image can run, the newest first (PEP 600)."""
    machine = _MACHINES[architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, _OLDEST_GLIBC - 1, -1)]
    return [*tags, f"manylinux2014_{machine}"]


def read(path: Path) -> Wheel:
    """A wheel on disk."""
    content = path.read_bytes()
    return Wheel(name=path.name, sha256=hashlib.sha256(content).hexdigest(), content=content)


def entries(wheel: Wheel) -> Iterator[LayerEntry]:
    """Its files in the image's environment; scripts and headers are left out."""
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        for info in archive.infolist():
            if not info.is_dir() and (path := installed_path(info.filename)):
                mode = 0o755 if (info.external_attr >> 16) & 0o111 else 0o644
                yield file(f"{SITE_PACKAGES}/{path}", archive.read(info), mode)


def installed_path(name: str) -> str:
    """Where a file of a wheel is installed, in site-packages; empty if it isn't.

    `<name>.data/purelib` and `platlib` are unpacked into the root (PyPA's wheel format).
    """
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, path = rest.partition("/")
    return path if kind in ("purelib", "platlib") else ""
