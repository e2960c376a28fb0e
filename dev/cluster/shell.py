"""Commands that a step waits for."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.errors import DevError
from dev.terminal import indent

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def environment() -> dict[str, str]:
    """Our environment, with the folders of ip and iptables on PATH, without proxies and KUBECONFIG.

    The cluster's addresses are on this machine, where a proxy could not reach them.
    """
    dropped = {"http_proxy", "https_proxy", "all_proxy", "kubeconfig"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in dropped}
    return {**kept, "PATH": f"{kept.get('PATH', '/usr/bin:/bin')}:{SYSTEM_FOLDERS}"}


def has(program: str) -> bool:
    """Whether the program, a name or a path, is installed."""
    return shutil.which(program, path=environment()["PATH"]) is not None


def run(*command: str | Path, stdin: str = "") -> str:
    """Return the command's stdout. Raises DevError with the output if it fails."""
    done = attempt(*command, stdin=stdin)
    if done.returncode != 0:
        output = indent((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise DevError(f"`{shown(command)}` failed ({done.returncode}):\n{output}")
    return done.stdout


def attempt(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; the caller checks its returncode."""
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
