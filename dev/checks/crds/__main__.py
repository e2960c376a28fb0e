"""`python -m dev.checks.crds [release]`: compare crds/ with the last release, or record one."""

import argparse
import sys
from pathlib import Path

import yaml

from dev.checks.crds.definitions import Definition, incompatible, without_prose

CRDS = Path(__file__).parents[3] / "crds"
RELEASED = Path(__file__).parent / "released"


def load(folder: Path) -> dict[str, Definition]:
    """The definitions of a folder by name."""
    found = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    return {each["metadata"]["name"]: each for each in found}


def main(arguments: list[str]) -> int:
    """Print incompatibilities; exit code 1 if there are any and `--incompatible` is not given."""
    parser = argparse.ArgumentParser(prog="python -m dev.checks.crds")
    parser.add_argument("command", nargs="?", choices=["compare", "release"], default="compare")
    parser.add_argument("--incompatible", action="store_true", help="release them nevertheless")
    options = parser.parse_args(arguments)
    found = list(incompatible(load(RELEASED), load(CRDS)))
    print("\n".join(found) or "compatible with the released definitions")
    if found and not options.incompatible:
        return 1
    if options.command == "release":
        _release()
    return 0


def _release() -> None:
    for path in RELEASED.glob("*.yaml"):
        path.unlink()
    for path in sorted(CRDS.glob("*.yaml")):
        text = yaml.safe_dump(without_prose(yaml.safe_load(path.read_text())), sort_keys=False)
        (RELEASED / path.name).write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
