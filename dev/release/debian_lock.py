"""The Debian packages of the images, by version and sha256: `dev/release/debian.lock`.

`make lock` resolves them with apt, for each architecture, from the archives that this machine's apt
is configured with. Only paths within an archive are in the lock.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path
from urllib.parse import unquote

from dev import cache
from dev.errors import BuildFailed, DevError
from dev.release.debian_archive import ARCHIVE_HELP, apt_sources
from dev.versions import DEBIAN

LOCK = Path(__file__).parent / "debian.lock"
ARCHITECTURES = ("amd64", "arm64")
"""Names of Debian, which OCI has too."""

WANTED = (
    *("base-files", "ca-certificates", "libc-bin", "netbase", "openssl", "python3"),
    # For debugging.
    *("coreutils", "dash"),
)
"""The rest are their dependencies."""
_FOR_SCRIPTS = frozenset({"debconf", "debianutils", "dpkg", "libmd0", "mawk", "tar"})
"""Dependencies that only maintainer scripts use, which don't run."""

_HEADER = """\
# The Debian packages of the released images, written by `make lock`.
# architecture package version sha256 size path
"""


@dataclass(frozen=True, kw_only=True, order=True)
class LockedPackage:
    """A package of one architecture's image."""

    architecture: str
    name: str
    version: str
    sha256: str
    size: int
    path: str
    """Within its archive."""


def parse(text: str) -> tuple[LockedPackage, ...]:
    """The packages in a lock. Raises DevError with the line that is invalid."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(_parse_line(line) for line in lines if line and not line.startswith("#"))


def _parse_line(line: str) -> LockedPackage:
    try:
        architecture, name, version, sha256, size, path = line.split()
        return LockedPackage(
            architecture=architecture,
            name=name,
            version=version,
            sha256=sha256,
            size=int(size),
            path=path,
        )
    except ValueError:
        raise DevError(f"invalid line {line!r} in {LOCK}: run `make lock`") from None


def write(packages: Iterable[LockedPackage]) -> str:
    """The text of the lock, sorted."""
    rows = (
        f"{each.architecture} {each.name} {each.version} {each.sha256} {each.size} {each.path}\n"
        for each in sorted(packages)
    )
    return _HEADER + "".join(rows)


def resolve(architecture: str, folder: Path) -> Iterator[LockedPackage]:
    """The packages that apt would install into an empty system now; needs the network.

    `folder` is for apt's own files: the machine's are neither read nor changed.
    """
    options = _prepare(architecture, folder)
    _apt(options, "update")
    uris = _apt(options, "install", "-y", "--no-install-recommends", "--print-uris", *WANTED)
    chosen = [f"{name}={version}" for name, version in selected(uris) if name not in _FOR_SCRIPTS]
    shown = _apt(options, "show", *chosen, program="apt-cache")
    for paragraph in re.split(r"\n{2,}", shown.strip()):
        yield described(architecture, paragraph)


def selected(print_uris: str) -> Iterator[tuple[str, str]]:
    """Names and versions in the output of `apt-get --print-uris`.

    A line is `'uri' name_version_architecture.deb size hash`, with `%3a` in the version.
    """
    for line in print_uris.splitlines():
        if line.startswith("'"):
            name, version, _ = line.split()[1].split("_")
            yield name, unquote(version)


def described(architecture: str, paragraph: str) -> LockedPackage:
    """The package in the output of `apt-cache show`."""
    fields = message_from_string(paragraph)
    return LockedPackage(
        architecture=architecture,
        name=fields["Package"],
        version=fields["Version"],
        sha256=fields["SHA256"],
        size=int(fields["Size"]),
        path=fields["Filename"],
    )


def _prepare(architecture: str, folder: Path) -> Sequence[str]:
    """Options of apt for an empty system in a folder."""
    for each in ("lists/partial", "archives/partial", "parts"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    sources = (f"deb [arch={architecture}] {each}\n" for each in apt_sources(DEBIAN))
    (folder / "sources.list").write_text("".join(sources))
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _apt(options: Sequence[str], *arguments: str, program: str = "apt-get") -> str:
    command = [program, *options, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode != 0:
        raise BuildFailed(
            f"`{program} {arguments[0]}` failed: {done.stderr.strip()}. {ARCHIVE_HELP}"
        )
    return done.stdout


def update() -> Path:
    """Write the lock anew; returns its path."""
    with cache.staging(cache.root() / "release" / "apt") as staged:
        packages = [each for arch in ARCHITECTURES for each in resolve(arch, staged / arch)]
    LOCK.write_text(write(packages))
    return LOCK
