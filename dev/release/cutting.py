"""Cutting a version: what changes in the checkout before its files are made."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from dev.errors import BuildFailed, DevError
from dev.release import changelog

_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9a-z.]+)?")
_PLACES = (
    ("pyproject.toml", re.compile(r'(?m)^version = ".*"$'), 'version = "{}"'),
    ("chart/Chart.yaml", re.compile(r"(?m)^version: .*$"), "version: {}"),
    ("chart/Chart.yaml", re.compile(r"(?m)^appVersion: .*$"), 'appVersion: "{}"'),
)


def cut(source: Path, version: str, *, incompatible: bool) -> None:
    """Change CHANGELOG, versions and the record of released definitions; the caller commits.

    `incompatible` accepts definitions that the last release's objects don't fit, as in the first
    release. Raises DevError with what is wrong.
    """
    if not _VERSION.fullmatch(version):
        raise DevError(f"invalid version {version!r}: expected three numbers, such as 0.2.0")
    file = source / "CHANGELOG.md"
    day = datetime.now(UTC).date().isoformat()
    file.write_text(changelog.cut(file.read_text(), version, day))
    set_version(source, version)
    _record_definitions(source, incompatible=incompatible)


def set_version(source: Path, version: str) -> None:
    """Write the version of the package and of the chart."""
    for name, place, form in _PLACES:
        text = (source / name).read_text()
        (source / name).write_text(place.sub(form.format(version), text, count=1))


def _record_definitions(source: Path, *, incompatible: bool) -> None:
    command = [sys.executable, "-m", "dev.checks.crds", "release"]
    command += ["--incompatible"] if incompatible else []
    if subprocess.run(command, cwd=source).returncode != 0:
        raise BuildFailed("the definitions were not recorded: see above")
