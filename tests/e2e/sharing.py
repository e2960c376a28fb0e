"""The cluster, shared by all processes that run the tests.

The first process installs the release; the last one stops the cluster if it was not up before.
Files that need it exclusively wait until the other processes have exited.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dev.cluster import down, status
from dev.demo.__main__ import target_cluster
from dev.demo.installation import install
from dev.demo.kubectl import Cluster
from dev.demo.source import start
from tests.e2e.rights.audited import Audited


@dataclass(frozen=True, kw_only=True)
class SharedCluster:
    """This process's use of the cluster: it holds a shared lock while it may use it."""

    folder: Path
    """Folder of this run, for all its processes."""
    stays: bool
    """Whether the cluster stays up at the end, because another run follows."""
    use: IO[str]

    @classmethod
    @contextlib.contextmanager
    def join(cls, folder: Path, *, stays: bool) -> Iterator[SharedCluster]:
        """Use the cluster while the block runs."""
        with (folder / "cluster-use.lock").open("w") as use:
            fcntl.flock(use, fcntl.LOCK_SH)
            found = cls(folder=folder, stays=stays, use=use)
            yield found
            found._release()

    def install_once(self, prepare: Callable[[Cluster], None]) -> Cluster:
        """The cluster with the release and the source side, installed once in a run."""
        with self.locked("install"):
            noted = self._noted()
            if noted is None:
                was_up, _ = status()
                found = target_cluster()
                install(found, with_source=True)
                start(found)
                prepare(found)
                audited = Audited.from_now(found)
                self._note({"was_up": was_up, "audited": audited.to_json()})
                return found
            return target_cluster()

    def audited(self, cluster: Cluster) -> Audited:
        """The audit log since the release was installed, by whichever process."""
        noted = self._noted()
        return Audited.from_now(cluster) if noted is None else Audited.of_json(noted["audited"])

    def wait_for_other_processes(self) -> None:
        """Return once no other process uses the cluster or can start to."""
        fcntl.flock(self.use, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Run one process of this run at a time."""
        with (self.folder / f"cluster-{name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _release(self) -> None:
        """Stop the cluster if no other process uses it and it was not up before."""
        if self.stays:
            return
        try:
            fcntl.flock(self.use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        noted = self._noted()
        if noted is not None and not noted["was_up"]:
            down()
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.folder / "cluster.json"

    def _noted(self) -> dict[str, Any] | None:
        if not self._file.exists():
            return None
        noted: dict[str, Any] = json.loads(self._file.read_text())
        return noted

    def _note(self, noted: dict[str, Any]) -> None:
        self._file.write_text(json.dumps(noted))
