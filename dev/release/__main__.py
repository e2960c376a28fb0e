"""`python -m dev.release build|publish|lock|cut`: the commands of the release procedure."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.errors import DevError
from dev.release import cutting, debian_lock, publishing, release_build, release_settings, signing
from dev.terminal import echo

CHECKOUT = Path(__file__).parents[2]
DIST = CHECKOUT / "dist"


def main(arguments: Sequence[str]) -> int:
    """Run a command; errors are printed without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m dev.release", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("build", help="write dist/; signed if COSIGN_KEY is set")
    commands.add_parser("publish", help="push dist/ to REGISTRY, and sign what was pushed")
    commands.add_parser("lock", help="lock the newest Debian packages")
    cut = commands.add_parser("cut", help="change the checkout to a new version")
    cut.add_argument("version")
    cut.add_argument("--incompatible", action="store_true", help="definitions may be incompatible")
    chosen = parser.parse_args(arguments)
    try:
        _run(chosen)
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


def _run(chosen: argparse.Namespace) -> None:
    match chosen.command:
        case "build":
            _build()
        case "publish":
            settings = release_settings.read(CHECKOUT, os.environ)
            publishing.publish(settings, DIST, signing.read_key(os.environ))
        case "lock":
            print(debian_lock.update())
        case "cut":
            cutting.cut(CHECKOUT, chosen.version, incompatible=chosen.incompatible)


def _build() -> None:
    settings = release_settings.read(CHECKOUT, os.environ)
    key = signing.read_key(os.environ)
    release = release_build.build(settings, DIST)
    if key is not None:
        signing.sign_checksums(key, DIST)
    else:
        echo("COSIGN_KEY is not set: the release is not signed")
    echo(f"{settings.image}:{settings.version} {release.image}")
    echo(f"{settings.charts}/roadstead:{settings.version} {release.chart}")
    print(DIST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
