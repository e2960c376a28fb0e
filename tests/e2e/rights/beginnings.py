"""Actions that components do only once: in an old cluster, the log no longer has them."""

import json
from collections.abc import Callable

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from roadstead_webhooks.certificates.receipt_rotation import LIFETIME
from tests.e2e.leader import LEASE

RECEIPTS, TLS = "roadstead-receipts", "roadstead-webhooks-tls"
PARTS = ("operator", "webhooks", "forward-auth", "console")
Until = Callable[[Callable[[], object]], None]


def repeat_first_start(cluster: Cluster, until: Until) -> None:
    """Make the leader create its Lease, the webhooks their keys, and restart every component."""
    cluster.run("-n", NAMESPACE, "delete", "lease", LEASE)
    keys = _age_receipt_keys(cluster)
    _system(cluster, "patch", "secret", TLS, *_json_patch("remove", "/data"))
    parts = [f"deployment/roadstead-{part}" for part in PARTS]
    _system(cluster, "rollout", "restart", *parts)
    for part in parts:
        _system(cluster, "rollout", "status", part, "--timeout=180s")
    until(lambda: cluster.get("-n", NAMESPACE, "lease", LEASE))
    until(lambda: len(_keys(cluster, RECEIPTS)) > keys)
    until(lambda: _keys(cluster, TLS))


def _age_receipt_keys(cluster: Cluster) -> int:
    """Make the newest key expire; it still verifies. Returns the number of keys."""
    keys = _keys(cluster, RECEIPTS)
    newest = max(keys, key=lambda name: int(name.removesuffix(".pem")))
    aged = f"{int(newest.removesuffix('.pem')) - int(LIFETIME.total_seconds())}.pem"
    body = json.dumps({"data": {newest: None, aged: keys[newest]}})
    _system(cluster, "patch", "secret", RECEIPTS, "--type=merge", "-p", body)
    return len(keys)


def _keys(cluster: Cluster, name: str) -> dict[str, str]:
    found = cluster.get("-n", NAMESPACE, "secret", name) or {}
    return dict(found.get("data", {}))


def _json_patch(operation: str, path: str) -> tuple[str, ...]:
    return ("--type=json", "-p", json.dumps([{"op": operation, "path": path}]))


def _system(cluster: Cluster, *command: str) -> str:
    return cluster.run("-n", NAMESPACE, *command)
