"""`python -m dev.checks.programs`: build all that `make test` runs, and start the cluster.

No test then waits for a compiler within its own time limit.
"""

import sys

from dev.demo import building
from dev.errors import DevError
from dev.terminal import say

FOR_TESTS = ("controller-gen", "dashcheck", "toxiproxy", "versitygw")
"""What the demo has no use for."""


def main() -> int:
    """Exit code 1 with the reason if something can't be built or started."""
    try:
        building.build(*FOR_TESTS)
    except DevError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
