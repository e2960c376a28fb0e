"""Builds the site from docs/ and the pages of the root, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from dev.docs.sources import CHECKOUT, prepare
from dev.errors import DevError

CONFIGURATION: Final = CHECKOUT / "mkdocs.yml"


class BrokenSite(DevError):
    """A link or the configuration is invalid; the message is the builder's."""


def build(target: Path) -> None:
    """Write the site to `target`, which is replaced. Raises BrokenSite for a broken link."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work / "docs")
        shutil.copy(CONFIGURATION, work)
        program = Path(sys.executable).with_name("zensical")
        found = subprocess.run(
            [str(program), "build", "--strict", f"--config-file={work / CONFIGURATION.name}"],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode != 0:
            raise BrokenSite(found.stdout + found.stderr)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(work / "site", target)
