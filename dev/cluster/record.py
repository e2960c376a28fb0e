"""The machine's record of whose cluster is up: written first, removed last.

Its being there says that something may have to be cleaned up, whatever became of the rest.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.cluster.layout import RECORD


@dataclass(frozen=True, kw_only=True)
class Record:
    checkout: str
    """The folder of the checkout that brought it up; it may be gone."""
    boot: str
    fingerprint: str
    """Of its programs and its set-up: another one means that the checkout has moved on."""
    ready: bool
    """False until `up` has come to its end."""
    sysctls: dict[str, str]
    """The machine's settings as they were before."""
    folders: list[str]
    """Folders that were not there before, to be removed if nobody else put anything in them."""


def render(record: Record) -> str:
    return json.dumps(asdict(record), indent=2) + "\n"


def parse(text: str) -> Record | None:
    """None for what no version of ours wrote whole: it is then cleaned up without knowing more."""
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
