"""An API server whose etcd can be restored from a snapshot, as an administrator does it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from dev.servers.apiserver import ApiServer, running


class RestorableApiServer:
    """A running API server; its address and token stay the same after a restore.

    The snapshot is a copy of the data of a stopped etcd.
    """

    def __init__(self, binaries: Mapping[str, Path], folder: Path) -> None:
        self._binaries = binaries
        self._data, self._snapshot = folder / "etcd", folder / "snapshot"
        self._folder = folder
        self._running = contextlib.ExitStack()
        self.server = self._running.enter_context(running(binaries, folder))

    def snapshot(self) -> ApiServer:
        """Take a snapshot; this restarts the API server."""
        self.stop()
        shutil.copytree(self._data, self._snapshot)
        return self._start()

    def restore(self) -> ApiServer:
        """Restore the snapshot."""
        self.stop()
        shutil.rmtree(self._data)
        shutil.copytree(self._snapshot, self._data)
        return self._start()

    def stop(self) -> None:
        """Stop both processes."""
        self._running.close()

    def _start(self) -> ApiServer:
        again = running(self._binaries, self._folder, again=self.server)
        self.server = self._running.enter_context(again)
        return self.server


@contextlib.contextmanager
def restorable(binaries: Mapping[str, Path], folder: Path) -> Iterator[RestorableApiServer]:
    """Run an API server while the block runs."""
    found = RestorableApiServer(binaries, folder)
    try:
        yield found
    finally:
        found.stop()
