"""Steps run side by side in lanes, in order, and the first failure is raised."""

import threading
from collections.abc import Callable

import pytest

from dev import terminal
from dev.errors import BuildFailed
from dev.steps import Step, run, seconds_left


def make_step(
    name: str,
    action: Callable[[], object] = lambda: None,
    *,
    lane: str = "one",
    done: bool = False,
    seconds: int = 10,
    needs: tuple[str, ...] = (),
) -> Step:
    return Step(
        name=name, lane=lane, run=action, done=lambda: done, usual_seconds=seconds, needs=needs
    )


def test_steps_of_a_lane_run_one_after_the_other() -> None:
    ran: list[str] = []
    run([make_step(name, lambda name=name: ran.append(name)) for name in "abc"])  # type: ignore[misc]  # a lambda with a default
    assert ran == ["a", "b", "c"]


def test_lanes_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)
    run([make_step("a", both.wait), make_step("b", both.wait, lane="two")])
    assert not both.broken


def test_step_waits_for_its_needs() -> None:
    ran: list[str] = []

    def compile_slowly() -> None:
        threading.Event().wait(0.2)
        ran.append("program")

    run(
        [
            make_step("program", compile_slowly),
            make_step("image", lambda: ran.append("image"), lane="two", needs=("program",)),
        ]
    )
    assert ran == ["program", "image"]


def test_completed_need_is_not_waited_for() -> None:
    ran: list[str] = []
    run([make_step("program", done=True), make_step("image", lambda: ran.append("image"))])
    assert ran == ["image"]


def test_done_step_is_not_run() -> None:
    run([make_step("program", lambda: pytest.fail("it was run"), done=True)])


def test_first_failure_stops_the_others_and_is_raised() -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise BuildFailed("no network")

    def long_command() -> None:
        failed.wait(20)
        while True:
            terminal.report("still at it")

    steps = [
        make_step("a", fail),
        make_step("b", long_command, lane="two"),
        make_step("never", lambda: pytest.fail("it was run")),
    ]
    with pytest.raises(BuildFailed, match="no network"):
        run(steps)


def test_remaining_time_is_that_of_the_longest_lane() -> None:
    steps = [make_step("a", seconds=60), make_step("b", seconds=30)]
    steps += [make_step("c", lane="two", seconds=80)]
    assert seconds_left(steps, {}) == 90
    assert seconds_left(steps, {"a": 50.0}) == 80


def test_overdue_step_has_a_tenth_left() -> None:
    assert seconds_left([make_step("a", seconds=60)], {"a": 600.0}) == 6
