"""Repeats a request while something happens to the cluster."""

import threading
from collections.abc import Callable

from dev.errors import DevError


class Repeatedly:
    """Repeats `attempt` while the block runs; counts successes and collects failures.

    OSError and DevError are failures; any other error stops it and is raised at the end.
    """

    def __init__(self, attempt: Callable[[], object], *, pause: float = 0) -> None:
        self._attempt = attempt
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._broken: BaseException | None = None
        self.passed = 0
        self.failures: list[str] = []

    def __enter__(self) -> "Repeatedly":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                self._once()
        except BaseException as error:
            self._broken = error

    def _once(self) -> None:
        try:
            self._attempt()
            self.passed += 1
        except (OSError, DevError) as error:
            self.failures.append(str(error))
