"""The machine's record of the cluster that is up: written first, removed last.

If it exists, something may have to be cleaned up, whatever the other files are.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.cluster.layout import RECORD


@dataclass(frozen=True, kw_only=True)
class Record:
    checkout: str
    """The folder of the checkout that started it; it may be deleted."""
    boot: str
    fingerprint: str
    """Of programs and set-up: another value means that the checkout has changed."""
    ready: bool
    """False until `up` has completed."""
    sysctls: dict[str, str]
    """The machine's settings from before."""
    folders: list[str]
    """Folders that did not exist before; they are removed if they are empty."""


def render(record: Record) -> str:
    return json.dumps(asdict(record), indent=2) + "\n"


def parse(text: str) -> Record | None:
    """None if the text is not a complete record; cleaning up then does without it."""
    try:
        return Record(**json.loads(text))
    except (TypeError, ValueError):
        return None


def read(path: Path = RECORD) -> Record | None:
    return parse(path.read_text()) if path.exists() else None


def write(record: Record, path: Path = RECORD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(render(record))
    staged.replace(path)
