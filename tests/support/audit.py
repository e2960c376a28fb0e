"""Writes of each user, from the API server's audit log."""

import dataclasses
import datetime
import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.support.builders.objects import Raw


@dataclasses.dataclass(frozen=True, kw_only=True)
class Write:
    """A request to write."""

    at: datetime.datetime
    """Time at which the API server received it."""
    user: str
    verb: str
    resource: str
    name: str
    path: str
    code: int
    """Status of the answer."""


def writes(audit: Path, users: Collection[str]) -> list[Write]:
    """The writes of these users in order, without those of Leases."""
    found = [_write(event) for event in _events(audit) if event["user"]["username"] in users]
    kept = [each for each in found if each.resource != "leases"]
    return sorted(kept, key=lambda each: each.at)


def writes_in(audit: Path, namespace: str) -> Counter[tuple[str, str, str]]:
    """All writes in a namespace, including failed ones, by verb, kind and name."""
    abouts = ((event["verb"], event.get("objectRef", {})) for event in _events(audit))
    return Counter(
        (verb, about["resource"], about.get("name", ""))
        for verb, about in abouts
        if about.get("namespace") == namespace
    )


def _events(audit: Path) -> Iterator[Raw]:
    complete, _, _ = audit.read_text().rpartition("\n")  # The last line may be incomplete.
    return map(json.loads, complete.splitlines())


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
