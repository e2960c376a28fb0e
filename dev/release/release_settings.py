"""What a release is made from: the checkout's commit and version, and the caller's settings."""

import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.errors import DevError
from dev.terminal import echo

LOCAL_REGISTRY = "localhost:5000"
_REGISTRY = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)*")


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings:
    """Settings of a release. The same settings make the same files."""

    source: Path
    """The checkout."""
    version: str
    commit: str
    epoch: int
    """Of the commit, in seconds: the time of all files that have one (SOURCE_DATE_EPOCH)."""
    registry: str
    """Where the images are pushed to, such as ghcr.io/acme."""

    @property
    def image(self) -> str:
        """Repository of Roadstead's own image."""
        return f"{self.registry}/roadstead"

    @property
    def charts(self) -> str:
        """Repository that Helm appends the chart's name to."""
        return f"{self.registry}/charts"


def read(source: Path, environ: Mapping[str, str]) -> ReleaseSettings:
    """The settings of a checkout without uncommitted changes. Raises DevError with what to do."""
    if changed := _git(source, "status", "--porcelain"):
        raise DevError(
            f"a release is made from a commit, and the checkout has changes: commit them\n{changed}"
        )
    return ReleaseSettings(
        source=source,
        version=version(source),
        commit=_git(source, "rev-parse", "HEAD"),
        epoch=int(_git(source, "log", "-1", "--format=%ct")),
        registry=registry(environ),
    )


def version(source: Path) -> str:
    """The version, which the package and the chart have in common. Raises DevError otherwise."""
    package = tomllib.loads((source / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((source / "chart" / "Chart.yaml").read_text())
    versions = {
        "pyproject.toml": package,
        "version in chart/Chart.yaml": chart["version"],
        "appVersion in chart/Chart.yaml": chart["appVersion"],
    }
    if len(set(versions.values())) != 1:
        raise DevError(f"different versions: {versions}. Run `python -m dev.release cut VERSION`")
    return str(package)


def registry(environ: Mapping[str, str]) -> str:
    """REGISTRY of the environment. Raises DevError for what is no registry."""
    found = environ.get("REGISTRY", "")
    if not found:
        echo(f"REGISTRY is not set: images are named {LOCAL_REGISTRY}/..., for a trial")
        return LOCAL_REGISTRY
    if not _REGISTRY.fullmatch(found):
        raise DevError(f"invalid REGISTRY {found!r}: expected host[:port][/path], ghcr.io/acme")
    return found


def _git(source: Path, *arguments: str) -> str:
    command = ["git", "-C", str(source), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise DevError("git is missing: a release is made from a commit") from None
    if done.returncode != 0:
        raise DevError(f"`git {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout.strip()
