"""Debian's archives as this machine's apt is configured, and downloads from them by sha256."""

import hashlib
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from dev import cache
from dev.errors import DevError, MissingTool

ARCHIVE_HELP = "Debian's archives are those that apt is configured with: check `apt-get update`"
_TIMEOUT_SECONDS = 60


class Locked(Protocol):
    """What a download needs of a package in the lock."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def path(self) -> str: ...


class PackageGone(DevError):
    """No archive has the locked version any more."""


def apt_sources(release: str) -> list[str]:
    """`URI suite component` of each of Debian's archives, such as the one for security."""
    found = _index_targets("$(REPO_URI) $(CODENAME) $(COMPONENT)")
    suites = (release, f"{release}-updates", f"{release}-security")
    return [each for each in found if each.split()[1] in suites and each.split()[2] == "main"]


def _index_targets(form: str) -> list[str]:
    command = [
        "apt-get",
        "indextargets",
        "--format",
        form,
        "Created-By: Packages",
        "Origin: Debian",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise MissingTool("apt-get is missing: a release is made on Debian 12") from None
    if not done.stdout.strip():
        raise MissingTool("apt knows no archive of Debian: run `apt-get update` as root")
    return sorted(set(done.stdout.split("\n")) - {""})


def archives() -> list[str]:
    """The URLs of Debian's archives, each with a slash at the end. Raises MissingTool."""
    return sorted({line.split()[0] for line in _index_targets("$(REPO_URI) -")})


def fetch(package: Locked, archives: Sequence[str]) -> bytes:
    """The package's file, from the cache or the first archive that has it.

    Raises PackageGone if no archive has it, DevError for another content or without a network.
    """
    cached = stored(package)
    if not cached.exists():
        data = _download(package, archives)
        _verify(package, data)
        with cache.staging(cached) as staged:
            (staged / "deb").write_bytes(data)
            os.replace(staged / "deb", cached)
    data = cached.read_bytes()
    _verify(package, data)
    return data


def stored(package: Locked) -> Path:
    """Where the package's file is in the cache."""
    return cache.root() / "release" / "debs" / package.sha256


def _download(package: Locked, archives: Sequence[str]) -> bytes:
    for archive in archives:
        url = f"{archive}{package.path}"
        try:
            return _get(url)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise DevError(f"{url}: {error}. {ARCHIVE_HELP}") from None
        except OSError as error:
            raise DevError(f"{url}: {error}. {ARCHIVE_HELP}") from None
    raise PackageGone(
        f"{package.name} {package.version} for {package.architecture} is no longer in Debian's "
        "archives: run `make lock`, and commit dev/release/debian.lock"
    )


def _get(url: str) -> bytes:
    # apt's addresses are http or https; the content is verified.
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        data: bytes = answer.read()
        return data


def _verify(package: Locked, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != package.sha256:
        raise DevError(
            f"{package.name} {package.version} for {package.architecture} has the sha256 {found}, "
            f"the lock has {package.sha256}: do not use this archive"
        )
