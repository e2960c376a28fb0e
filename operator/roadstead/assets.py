"""Locates the files that are not code: crds/ and templates/."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def asset_root(package: Path | None = None) -> Path:
    """Return the directory that contains crds/ and templates/.

    A wheel has them in `roadstead/_assets`; an editable install uses the working tree, so that
    changes of templates apply at once. `package` is the directory of the package `roadstead`.
    """
    package = package or Path(str(resources.files("roadstead")))
    packaged = package / "_assets"
    return packaged if packaged.is_dir() else package.parent.parent
