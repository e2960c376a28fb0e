"""An API server whose etcd can be set back to a snapshot, as an operator of a cluster does it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from dev.servers.apiserver import ApiServer, running


class RestorableApiServer:
    """One that runs, at one address with one token however often it is set back.

    The snapshot is a copy of the data of an etcd that was stopped.
    """

    def __init__(self, binaries: Mapping[str, Path], folder: Path) -> None:
        self._binaries = binaries
        self._data, self._snapshot = folder / "etcd", folder / "snapshot"
        self._folder = folder
        self._running = contextlib.ExitStack()
        self.server = self._running.enter_context(running(binaries, folder))

    def snapshot(self) -> ApiServer:
        """Take a snapshot, which ends the API server for a moment."""
        self.stop()
        shutil.copytree(self._data, self._snapshot)
        return self._start()

    def restore(self) -> ApiServer:
        """Go back to the snapshot."""
        self.stop()
        shutil.rmtree(self._data)
        shutil.copytree(self._snapshot, self._data)
        return self._start()

    def stop(self) -> None:
        """End both processes."""
        self._running.close()

    def _start(self) -> ApiServer:
        again = running(self._binaries, self._folder, again=self.server)
        self.server = self._running.enter_context(again)
        return self.server


@contextlib.contextmanager
def restorable(binaries: Mapping[str, Path], folder: Path) -> Iterator[RestorableApiServer]:
    """One for as long as the block lasts."""
    found = RestorableApiServer(binaries, folder)
    try:
        yield found
    finally:
        found.stop()
