"""`python -m dev.images [NAME...]` builds images and prints the paths of their archives."""

import sys
from collections.abc import Sequence

from dev.errors import DevError
from dev.images.archive import IMAGES, ensure
from dev.terminal import echo


def main(names: Sequence[str]) -> int:
    """Build the named images, or all."""
    try:
        for path in ensure(*(names or tuple(IMAGES))).values():
            print(path)
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
