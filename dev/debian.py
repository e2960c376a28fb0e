"""Debian packages that a step requires: installed if they are missing, with a message."""

import os
import shutil
import subprocess
from pathlib import Path

from dev import cache
from dev.errors import MissingTool
from dev.terminal import announce, echo, tail
from dev.versions import DEBIAN


def ensure(*packages: str) -> None:
    """Install the packages that are missing. Raises MissingTool with the command to run."""
    missing = [each for each in packages if not _installed(each)]
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise MissingTool(f"missing: {names}; run as root on Debian 12: apt-get install {names}")
    with cache.lock("apt"):
        announce(f"installing Debian packages: {names}")
        _apt_get("update")
        _apt_get("install", "-y", "--no-remove", "--no-install-recommends", *missing)


def are_installed(*packages: str) -> bool:
    """Whether all of them are installed."""
    return all(_installed(each) for each in packages)


def unpack(package: str) -> Path:
    """The folder with the files of a package that is not installed.

    For programs whose package would start a service on the machine. Raises MissingTool.
    """
    folder = cache.root() / "debian" / f"{DEBIAN}-{package}"
    if folder.exists():
        return folder
    if shutil.which("apt-get") is None:
        raise MissingTool(f"missing: {package}, which requires apt-get of Debian 12")
    with cache.lock("apt"), cache.staging(folder) as staged:
        if not folder.exists():
            echo(f"downloading the Debian package {package}")
            if os.geteuid() == 0:
                _apt_get("update")
            _apt_get("download", package, cwd=staged)
            (archive,) = staged.glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, staged / "files"], check=True)
            os.replace(staged / "files", folder)
    return folder


def _installed(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return False
    return answer.stdout == "installed"


def _apt_get(*arguments: str, cwd: Path | None = None) -> None:
    log = cache.root() / "log" / "apt-get.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("w") as stream:
        command = ["apt-get", *arguments]
        done = subprocess.run(command, stdout=stream, stderr=stream, env=environment, cwd=cwd)
    if done.returncode != 0:
        raise MissingTool(
            f"`{' '.join(command)}` failed:\n{tail(log)}\nFix the cause, then run it again."
        )
