"""Who wrote what, by the API server's audit log."""

import dataclasses
import datetime
import json
from collections.abc import Collection
from pathlib import Path

from tests.apiserver.objects import Raw


@dataclasses.dataclass(frozen=True, kw_only=True)
class Write:
    """A request that was to change something."""

    at: datetime.datetime
    """When the API server had it."""
    user: str
    verb: str
    resource: str
    name: str
    path: str
    code: int
    """The answer's status."""


def writes(audit: Path, users: Collection[str]) -> list[Write]:
    """What these users wrote, in order; Leases are left out."""
    events = map(json.loads, audit.read_text().splitlines())
    found = [_write(event) for event in events if event["user"]["username"] in users]
    kept = [each for each in found if each.resource != "leases"]
    return sorted(kept, key=lambda each: each.at)


def _write(event: Raw) -> Write:
    about = event.get("objectRef", {})
    return Write(
        at=datetime.datetime.fromisoformat(event["requestReceivedTimestamp"]),
        user=event["user"]["username"],
        verb=event["verb"],
        resource=about.get("resource", ""),
        name=about.get("name", ""),
        path=event["requestURI"],
        code=event["responseStatus"].get("code", 0),
    )
