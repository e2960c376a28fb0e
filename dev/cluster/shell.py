"""Commands that a step runs to their end."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.errors import DevError
from dev.terminal import indent

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def environment() -> dict[str, str]:
    """Ours, with the folders of ip and iptables on PATH, and without proxies or a KUBECONFIG.

    The cluster's addresses are on this machine: a proxy could not reach them.
    """
    dropped = {"http_proxy", "https_proxy", "all_proxy", "kubeconfig"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in dropped}
    return {**kept, "PATH": f"{kept.get('PATH', '/usr/bin:/bin')}:{SYSTEM_FOLDERS}"}


def has(program: str) -> bool:
    """Whether the program, a name or a path, is there to be run."""
    return shutil.which(program, path=environment()["PATH"]) is not None


def run(*command: str | Path, stdin: str = "") -> str:
    """The command's stdout. Raises DevError with what it said when it fails."""
    done = attempt(*command, stdin=stdin)
    if done.returncode != 0:
        said = indent((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise DevError(f"`{shown(command)}` failed ({done.returncode}):\n{said}")
    return done.stdout


def attempt(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; the caller looks at its returncode."""
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
    )


def shown(command: Sequence[str | Path]) -> str:
    return " ".join(str(part) for part in command)
