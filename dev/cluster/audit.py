"""The API server's audit log of the ServiceAccounts' requests: metadata and decision, no bodies.

Requests of people are left out, and those of Kubernetes' own controllers, which have
ServiceAccounts in kube-system. An hour of an idle cluster is about 17 MB.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.cluster.layout import Layout

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # A watch request completes when the watch ends; that it was allowed is logged when it starts.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
MEGABYTES = 64
KEPT = 3
"""Full files that are kept, besides the current one."""


def flags(layout: Layout) -> dict[str, str | Path]:
    """The API server's flags, and the policy file; deletes the log of an earlier cluster."""
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
    """Events of audit.k8s.io/v1 in order; those of full files first."""
    for file in _files(layout):
        with file.open() as lines:
            # The last line may be incomplete.
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _files(layout: Layout) -> list[Path]:
    """Full files have the time in their name: audit-2026-01-02T03-04-05.678.log."""
    return [*sorted(layout.log.glob("audit-*.log")), *layout.log.glob("audit.log")]
