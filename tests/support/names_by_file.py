"""Resolves host names by a file of the test, for a program and its child processes."""

import subprocess
from pathlib import Path


def with_hosts_file(hosts: Path) -> list[str]:
    """Command prefix that runs a program with `hosts` as /etc/hosts."""
    command = 'mount --bind "$0" /etc/hosts && exec "$@"'
    assert subprocess.run(["unshare", "--mount", "true"]).returncode == 0
    return ["unshare", "--mount", "sh", "-c", command, str(hosts)]
