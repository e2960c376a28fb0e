"""The one cluster, shared by the processes that run the tests.

The first that needs it installs the release; the last that has done with it takes the cluster down,
if it was not up before. Files that need it alone wait until the other processes have exited.
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
    """This process's part in it: it holds a shared lock for as long as it may use the cluster."""

    folder: Path
    """Of this run, for all its processes."""
    stays: bool
    """Whether the cluster stays up at the end: another run follows that counts on this one."""
    use: IO[str]

    @classmethod
    @contextlib.contextmanager
    def joined(cls, folder: Path, *, stays: bool) -> Iterator[SharedCluster]:
        """Use it within the block."""
        with (folder / "cluster-use.lock").open("w") as use:
            fcntl.flock(use, fcntl.LOCK_SH)
            found = cls(folder=folder, stays=stays, use=use)
            yield found
            found._leave()

    def installed(self, prepare: Callable[[Cluster], None]) -> Cluster:
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
        """Since the release was installed, whichever process did it."""
        noted = self._noted()
        return Audited.from_now(cluster) if noted is None else Audited.of_json(noted["audited"])

    def wait_for_the_others(self) -> None:
        """Return once no other process uses the cluster, or can begin to."""
        fcntl.flock(self.use, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One process of this run at a time."""
        with (self.folder / f"cluster-{name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _leave(self) -> None:
        """Take the cluster down if nobody else uses it and it was not up before."""
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
