"""Steps that run side by side, with their progress, remaining time and duration.

A lane runs its steps one after the other; lanes run concurrently, and a step waits for the steps
that it needs. The first failure stops the others and is raised.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dev import terminal
from dev.errors import Interrupted
from dev.terminal import about, echo, minutes

REPORT_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `done` returns whether it can be skipped, and is cheap."""

    name: str
    lane: str
    run: Callable[[], object]
    done: Callable[[], bool]
    usual_seconds: int
    needs: Sequence[str] = ()


@dataclass
class _Progress:
    """State of a step."""

    started: float = 0.0
    took: float | None = None
    detail: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def running(self) -> bool:
        return self.started > 0 and self.took is None


def run(steps: Sequence[Step]) -> None:
    """Run the steps that are not done.

    Raises the error of the first step that fails; the others stop at their next report.
    """
    todo = [step for step in steps if not step.done()]
    if not todo:
        return
    echo(f"{len(todo)} steps the first time, {about(seconds_left(todo, {}))}:")
    echo(f"  {', '.join(step.name for step in todo)}")
    started = time.monotonic()
    _Run(todo).run_all()
    echo(f"built everything in {minutes(time.monotonic() - started)}")


def seconds_left(steps: Sequence[Step], spent: dict[str, float]) -> float:
    """Time of the longest lane minus the elapsed time; an overdue step counts as a tenth."""
    lanes: dict[str, float] = {}
    for step in steps:
        left = max(step.usual_seconds - spent.get(step.name, 0.0), step.usual_seconds / 10)
        lanes[step.lane] = lanes.get(step.lane, 0.0) + left
    return max(lanes.values(), default=0.0)


class _Run:
    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._progress = {step.name: _Progress() for step in steps}
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._started = time.monotonic()

    def run_all(self) -> None:
        lanes = dict.fromkeys(step.lane for step in self._steps)
        threads = [threading.Thread(target=self._lane, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        try:
            self._watch(threads)
        except BaseException:
            self._stop.set()
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure

    def _watch(self, threads: Sequence[threading.Thread]) -> None:
        """Print the progress until all lanes have completed."""
        reported = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.2)
            if time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                echo(self._state())

    def _state(self) -> str:
        now = time.monotonic()
        open_ = [step for step in self._steps if self._progress[step.name].took is None]
        spent = {
            step.name: now - self._progress[step.name].started
            for step in open_
            if self._progress[step.name].running
        }
        doing = "; ".join(self._describe(step) for step in open_ if step.name in spent)
        left = about(seconds_left(open_, spent))
        return f"  {minutes(now - self._started)}, {left} left: {doing}"

    def _describe(self, step: Step) -> str:
        detail = self._progress[step.name].detail
        return f"{step.name} ({detail})" if detail else step.name

    def _lane(self, lane: str) -> None:
        for step in self._steps:
            if step.lane == lane and not self._run_step(step):
                return

    def _run_step(self, step: Step) -> bool:
        """Run one step; whether the lane may start its next step."""
        for name in step.needs:
            while name in self._progress and not self._progress[name].ended.wait(0.2):
                if self._stop.is_set():
                    return False
        if self._stop.is_set():
            return False
        progress = self._progress[step.name]
        progress.started = time.monotonic()
        try:
            contextvars.Context().run(self._run_reporting, step, progress)
        except BaseException as error:
            self._fail(error)
            return False
        progress.took = time.monotonic() - progress.started
        progress.ended.set()
        echo(f"  {step.name}: done in {minutes(progress.took)}")
        return True

    def _run_reporting(self, step: Step, progress: _Progress) -> None:
        def report(detail: str) -> None:
            progress.detail = detail
            if self._stop.is_set():
                raise Interrupted(step.name)

        with terminal.reporting_to(report):
            step.run()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None and not isinstance(error, Interrupted):
            self._failure = error
        self._stop.set()
