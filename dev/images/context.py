"""The build context: the checkout's own files, or a recipe and some programs."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from dev import cache

INCLUDED = (
    "Dockerfile",
    "LICENSE",
    "README.md",
    "crds",
    "dev/images/sbom.py",
    "operator",
    "pyproject.toml",
    "requirements.txt",
    "requirements-build.txt",
    "requirements-sbom.txt",
    "templates",
    "webhooks",
)
"""What the Dockerfile copies; a test compares it with .dockerignore."""

_IGNORED = frozenset({"__pycache__"})


def files(checkout: Path) -> Iterator[Path]:
    """The files of the build, relative to the checkout, in order."""
    for name in INCLUDED:
        top = checkout / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = path.relative_to(checkout)
            if path.is_file() and not _IGNORED.intersection(relative.parts):
                yield relative


def digest(checkout: Path) -> str:
    """Digest of names and contents, not of times and owners: a fresh clone has the same."""
    parts: list[str | bytes] = []
    for path in files(checkout):
        parts += [path.as_posix(), (checkout / path).read_bytes()]
    return cache.key(*parts)


def copy(checkout: Path, folder: Path) -> None:
    """Copy the build's files, so that an edit during the build doesn't affect the image."""
    for path in files(checkout):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / path, target)


def place(folder: Path, recipe: Path, programs: Mapping[str, Path]) -> None:
    """Copy a recipe as `Dockerfile`, and the programs beside it."""
    shutil.copyfile(recipe, folder / "Dockerfile")
    for name, path in programs.items():
        shutil.copyfile(path, folder / name)
        (folder / name).chmod(0o755)
