"""Where the files that are not code stand: crds/ and templates/."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def asset_root(package: Path | None = None) -> Path:
    """The directory that holds crds/ and templates/.

    A wheel carries them in `roadstead/_assets`; an editable install uses the working tree, so that
    a changed template is seen at once. `package` is the directory of the package `roadstead`.
    """
    package = package or Path(str(resources.files("roadstead")))
    packaged = package / "_assets"
    return packaged if packaged.is_dir() else package.parent.parent
