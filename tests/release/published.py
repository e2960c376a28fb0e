"""A release that is built from a copy of the checkout's files, and the programs that users run."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev import binaries
from dev.release import release_build
from dev.release.publishing import Pushed
from dev.release.release_settings import ReleaseSettings

CHECKOUT = Path(__file__).parents[2]
PASSWORD = {"COSIGN_PASSWORD": "test"}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A release in a registry, and the files of `dist/`."""

    settings: ReleaseSettings
    dist: Path
    pushed: Pushed

    @property
    def image(self) -> str:
        return f"{self.settings.image}@{self.pushed.image}"


def copy_checkout(folder: Path) -> Path:
    """The files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CHECKOUT / name, folder / name)
    return folder


def build(folder: Path, address: str) -> tuple[ReleaseSettings, Path]:
    settings = ReleaseSettings(
        source=copy_checkout(folder / "checkout"),
        version="0.1.0",
        commit="ab" * 20,
        epoch=1_790_000_000,
        registry=f"{address}/roadstead",
    )
    release_build.build(settings, folder / "dist")
    return settings, folder / "dist"


def run(name: str, *arguments: str, cwd: Path, check: bool = True) -> str:
    program = binaries.ensure(name)[name]
    environment = {**os.environ, **PASSWORD, "HOME": str(cwd)}
    done = subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout if done.returncode == 0 else ""


def verify(published: Published, what: str, *arguments: str) -> str:
    """As in docs/how-to/verify.md; empty if the verification fails."""
    offline = ["--key", "cosign.pub", "--insecure-ignore-tlog"]
    return run("cosign", what, *offline, *arguments, cwd=published.dist, check=False)
