"""`python -m dev.checks.suite [check|test]`: run the checks and tests, print a table of results.

Commands of one stage run side by side, stages one after the other. The run stops after the first
stage that fails.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from dev.checks.background import background, wrap_command
from dev.checks.commands import Command, Stage, run
from dev.cluster import down, status
from dev.terminal import echo

BIN = Path(sys.executable).parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "--durations=15", "--durations-min=20")
"""A test that takes over 20 s is listed; its source has the reason."""


def check_stage(*options: str) -> Stage:
    """`make check`: the unit tests, with options for pytest, beside the static checks."""
    return (
        Command(name="format", argv=(str(BIN / "ruff"), "format", "--check", "-q", ".")),
        Command(name="lint", argv=(str(BIN / "ruff"), "check", "-q", ".")),
        Command(name="types", argv=(str(BIN / "mypy"),)),
        Command(name="imports", argv=(str(BIN / "lint-imports"), "--no-logo")),
        Command(name="unit tests", argv=(*PYTEST, "-n", "2", *options, "tests/unit")),
    )


SERVERS = ("apiserver", "adapters", "chart")
SERVER_PROCESSES = 6
"""More than cores: these tests mostly wait, for servers, leases and retries. The reconcile tests
that were measured used the CPU for a fifth of their time."""
FAULT_PROCESSES = 4


def test_stages(
    run_folder: Path, procs: Path, end_cluster: Callable[[], None] | None
) -> Sequence[Stage]:
    """`make test`: first the tests that share the cluster. Those that need it exclusively mostly
    wait, so the tests against single servers run beside them, in the background cgroup `procs`:
    they get half of the CPU, so that the cluster is not slowed down. The faults are last, since
    their time limits need an idle machine.
    """
    some = (*PYTEST, "-m", "not long")
    cluster = (*some, "--cluster-run", str(run_folder), "tests/e2e")
    servers = (*some, "-n", str(SERVER_PROCESSES), *(f"tests/{each}" for each in SERVERS))
    return (
        check_stage(),
        (
            Command(name="wheel", argv=(*PYTEST, "tests/wheel")),
            Command(name="hostile input", argv=(*PYTEST, "tests/hostile")),
            Command(name="programs", argv=(sys.executable, "-m", "dev.checks.programs")),
        ),
        (Command(name="cluster", argv=(*cluster, "-n", "3", "--cluster-part", "shared")),),
        (
            Command(
                name="cluster, alone",
                argv=(*cluster, "--cluster-part", "alone"),
                then=end_cluster,
            ),
            Command(name="servers", argv=wrap_command(procs, servers)),
        ),
        (
            Command(
                name="faults",
                argv=(
                    *(*some, "-n", str(FAULT_PROCESSES)),
                    *("--no-loadscope-reorder", "tests/faults"),
                ),
            ),
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """`check` or `test`."""
    match list(arguments):
        case ["check"]:
            return run([check_stage("--hypothesis-profile=few-examples")])
        case ["test"]:
            return _test()
        case _:
            echo("usage: python -m dev.checks.suite check|test")
            return 2


def _test() -> int:
    """A cluster that was not up before the run is taken down once no test needs it."""
    was_up, _ = status()
    end_cluster = None if was_up else down
    with tempfile.TemporaryDirectory(prefix="roadstead-tests-") as folder, background() as procs:
        try:
            return run(test_stages(Path(folder), procs, end_cluster))
        finally:
            if end_cluster is not None:
                end_cluster()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
