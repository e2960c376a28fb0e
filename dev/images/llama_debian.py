"""llama.cpp's server from Debian's packages: a root file system with it and its dependencies.

Debian's development branch changes, so the server's own `--help` is checked: it must list the
flags that servers are started with.
"""

import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed, DevError
from dev.terminal import announce, echo, minutes, tail
from dev.versions import LLAMA_CPP_DEBIAN
from roadstead.api.llama.llama_aliases import canonical
from roadstead.api.llama.llama_extra import EXTRA, FIELD_OF
from roadstead.api.llama.llama_refused import REFUSED, SET_BY_OPERATOR

SUITE = "sid"

_FLAGS = (
    # Unpacked without configuration: no account and no service is needed.
    "--variant=extract",
    # A mirror may be older than the week that the archive's Release file is valid.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    "--include=base-files,coreutils,dash,llama.cpp-tools",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
KEY = cache.key(SUITE, str(LLAMA_CPP_DEBIAN), *_FLAGS)

_FLAG = re.compile(r"--?[a-zA-Z][\w.-]*")
_NAMES = re.compile(rf"(?:{_FLAG.pattern},?\s+)+")
_BUILD = re.compile(r"\bbuild:? (\d+)")


def ensure() -> Path:
    """The root file system as a tar file; its server has every flag that we use.

    Raises DevError if the archive is unavailable, or its server lacks a flag.
    """
    archive = cache.root() / "images" / f"llama-rootfs-{KEY}.tar"
    if not archive.exists():
        with cache.lock("llama-rootfs"), cache.staging(archive) as staged:
            if not archive.exists():
                made = _make(staged)
                _check_server(made, staged / "root")
                os.replace(made, archive)
    return archive


def missing_flags(help_text: str) -> list[str]:
    """Flags that a server may be started with and that `--help` does not list."""
    known = known_flags(help_text)
    return sorted(flag for flag in (*EXTRA, *FIELD_OF, *SET_BY_OPERATOR) if flag not in known)


def unlisted_flags(help_text: str) -> list[str]:
    """Flags in `--help` that are neither allowed, nor a field's, nor refused for a reason."""
    listed = {*EXTRA, *FIELD_OF}
    return sorted(
        flag
        for flag in known_flags(help_text)
        if flag not in REFUSED and canonical(flag) not in listed
    )


def known_flags(help_text: str) -> frozenset[str]:
    """The flags at the start of each line; descriptions may mention others."""
    found = (_NAMES.match(f"{line} ") for line in help_text.splitlines())
    return frozenset(flag for names in found if names for flag in _FLAG.findall(names[0]))


def build_number(version_text: str) -> int:
    """The build in `version: 0.7.0 (build 11669, commit Debian)`. Raises DevError without one."""
    found = _BUILD.search(version_text)
    if found is None:
        raise DevError(f"llama-server --version has no build number: {version_text.strip()[:200]}")
    return int(found[1])


def _make(folder: Path) -> Path:
    log = cache.root() / "log" / "llama-rootfs.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    target = folder / "rootfs.tar"
    started = time.monotonic()
    with log.open("w") as stream:
        command = ["mmdebstrap", *_FLAGS, SUITE, str(target)]
        if subprocess.run(command, stdout=stream, stderr=stream).returncode != 0:
            raise BuildFailed(f"mmdebstrap failed:\n{tail(log)}\nThe whole log: {log}")
    announce(f"  fetched llama.cpp from Debian in {minutes(time.monotonic() - started)}")
    return target


def _check_server(archive: Path, root: Path) -> None:
    """Check the server's own output: it runs in its root file system."""
    with tarfile.open(archive) as tar:
        tar.extractall(root, members=_without_devices(tar), filter="tar")
    build = build_number(_run_server(root, "--version"))
    help_text = _run_server(root, "--help")
    if missing := missing_flags(help_text):
        raise DevError(f"build {build} lacks the flags {', '.join(missing)}")
    if unlisted := unlisted_flags(help_text):
        echo(f"build {build} has new flags, refused until listed: {', '.join(unlisted)}")
    tested = "" if build == LLAMA_CPP_DEBIAN else f"; tests were last run with {LLAMA_CPP_DEBIAN}"
    echo(f"llama.cpp is build {build} of Debian {SUITE}{tested}")


def _without_devices(tar: tarfile.TarFile) -> Iterable[tarfile.TarInfo]:
    return (member for member in tar if not member.isdev())


def _run_server(root: Path, flag: str) -> str:
    command = ["chroot", str(root), "/usr/bin/llama-server", flag]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise DevError(
            f"`llama-server {flag}` failed: {(done.stderr or done.stdout).strip()[:300]}"
        )
    return done.stdout + done.stderr
