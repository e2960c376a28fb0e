"""The silence of watches."""

from roadstead.watching.watch_health import WatchHealth


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_kind_is_not_silent_before_it_is_expected() -> None:
    assert WatchHealth(Clock()).longest_silence() == (0.0, "")


def test_the_longest_silence_is_found() -> None:
    clock = Clock()
    health = WatchHealth(clock)
    health.expect(["models", "pods"])
    clock.now += 60
    health.record_event("pods")
    clock.now += 1
    assert health.longest_silence() == (61.0, "models")
