"""kubectl and helm for one cluster."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.errors import DevError

FORWARD = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster by its kubeconfig, and the programs to use with it.

    `local` is true for the cluster that this repository starts.
    """

    kubeconfig: Path
    kubectl: Path
    helm: Path
    local: bool
    build: str = ""
    """Identifies the operator's image: its tag stays the same, so a new one needs this."""

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl; returns its standard output. Raises DevError with the output if it fails."""
        return _run([self.kubectl, *self._where(), *arguments], stdin)

    def install(self, *arguments: str) -> str:
        """Run helm; returns its standard output. Raises DevError with the output if it fails."""
        return _run([self.helm, *self._where(), *arguments], "")

    def get(self, *arguments: str) -> Mapping[str, Any] | None:
        """One object as JSON; None if it doesn't exist."""
        text = self.run("get", *arguments, "--ignore-not-found", "-o", "json")
        found: Mapping[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def apply(self, manifests: str) -> None:
        """Apply YAML or JSON."""
        self.run("apply", "-f", "-", stdin=manifests)

    @contextlib.contextmanager
    def forwarded(self, namespace: str, target: str, port: int) -> Iterator[int]:
        """Forward a local port to `target`, such as `service/gemma`, while the block runs."""
        command = [
            self.kubectl,
            *self._where(),
            "-n",
            namespace,
            "port-forward",
            target,
            f":{port}",
        ]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield _forwarded_port(process, target)
        finally:
            process.terminate()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _where(self) -> Sequence[str]:
        return ("--kubeconfig", str(self.kubeconfig))


def _forwarded_port(process: "subprocess.Popen[str]", target: str) -> int:
    line = process.stdout.readline() if process.stdout is not None else ""
    match = FORWARD.search(line)
    if match is None:
        raise DevError(f"kubectl could not forward a port to {target}: {line.strip()}")
    return int(match[1])


def _run(command: Sequence[object], stdin: str) -> str:
    done = subprocess.run(
        list(map(str, command)), input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shown = " ".join(
            Path(str(part)).name if n == 0 else str(part) for n, part in enumerate(command)
        )
        raise DevError(f"{shown}\n  {(done.stdout + done.stderr).strip()}")
    return done.stdout
