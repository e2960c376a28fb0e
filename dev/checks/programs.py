"""`python -m dev.checks.programs`: build everything that `make test` runs; start the cluster.

Tests then don't wait for compilers within their time limits.
"""

import sys

from dev.demo import building
from dev.errors import DevError
from dev.terminal import echo

FOR_TESTS = ("celcheck", "controller-gen", "dashcheck", "fluxapply", "minio", "toxiproxy")
"""Programs that the demo doesn't use."""


def main() -> int:
    """Exit code 1 with the reason if a build or the start fails."""
    try:
        building.build(*FOR_TESTS)
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
