"""`python -m dev.cluster up|down|status`; up prints the kubeconfig's path."""

import sys
from collections.abc import Sequence

from dev.cluster.lifecycle import down, status, up
from dev.errors import DevError
from dev.terminal import echo

USAGE = "usage: python -m dev.cluster up|down|status"


def main(arguments: Sequence[str]) -> int:
    try:
        return _run(list(arguments))
    except DevError as error:
        echo(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        echo("interrupted: `make down` stops what was started")
        return 130


def _run(arguments: list[str]) -> int:
    match arguments:
        case ["up"]:
            print(up())
        case ["down"]:
            down()
        case ["status"]:
            healthy, description = status()
            print(description)
            return 0 if healthy else 1
        case _:
            echo(USAGE)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
