"""The image's Python environment in /opt/roadstead: the dependencies and our own wheel."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.errors import BuildFailed
from dev.release import wheel_download
from dev.release.layer import LayerEntry, file, link
from dev.release.wheel_download import Wheel

_SCRIPT = """\
#!/opt/roadstead/bin/python
import sys
from roadstead.__main__ import main
sys.exit(main())
"""


def environment(version: str) -> list[LayerEntry]:
    """The virtual environment in /opt/roadstead without its packages; `version` is Python's."""
    return [
        link("opt/roadstead/bin/python", "/usr/bin/python3"),
        link("opt/roadstead/bin/python3", "python"),
        file(
            "opt/roadstead/pyvenv.cfg",
            f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n",
        ),
    ]


def dependencies(wheels: Sequence[Wheel]) -> list[LayerEntry]:
    """The files of the dependencies."""
    return [entry for wheel in wheels for entry in wheel_download.entries(wheel)]


def program(wheel: Wheel) -> list[LayerEntry]:
    """The files of our own wheel, and the command."""
    return [*wheel_download.entries(wheel), file("opt/roadstead/bin/roadstead", _SCRIPT, 0o755)]


def build_wheel(source: Path, folder: Path, epoch: int) -> Wheel:
    """This repository's wheel, which hatchling makes reproducible. Raises BuildFailed."""
    command = [sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", str(folder)]
    variables = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"building the wheel failed:\n{done.stdout}{done.stderr}")
    (built,) = folder.glob("*.whl")
    return wheel_download.read(built)
