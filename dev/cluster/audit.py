"""What the API server writes down of the ServiceAccounts' requests: who asked for what, and whether
he was let; never what was in it.

Kubernetes' own controllers have ServiceAccounts too, in kube-system: what they do is left out, and
what people do. An hour of a cluster at rest is about 17 MB.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.cluster.layout import Layout

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # A watch is answered as long as it runs: that it was begun is what counts.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
MEGABYTES = 64
KEPT = 3
"""Files that were full, beside the one that is written to."""


def flags(layout: Layout) -> dict[str, str | Path]:
    """The API server's flags, and what they name; a log of an earlier cluster goes."""
    policy = layout.config / "audit-policy.json"
    policy.write_text(json.dumps(POLICY, indent=2))
    for old in _files(layout):
        old.unlink()
    return {
        "audit-policy-file": policy,
        "audit-log-path": layout.log / "audit.log",
        "audit-log-maxsize": str(MEGABYTES),
        "audit-log-maxbackup": str(KEPT),
    }


def events(layout: Layout) -> Iterator[dict[str, Any]]:
    """Events of audit.k8s.io/v1, as they were written; those of full files first."""
    for file in _files(layout):
        with file.open() as lines:
            # The last line may be on its way.
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _files(layout: Layout) -> list[Path]:
    """Full files have the time in their name: audit-2026-01-02T03-04-05.678.log."""
    return [*sorted(layout.log.glob("audit-*.log")), *layout.log.glob("audit.log")]
