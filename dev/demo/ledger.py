"""Shows the ledger's rows at the end of the demo, with psql."""

import shlex
import time

from dev.demo.installation import NAMESPACE, RELEASE
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.terminal import echo

POD = f"{RELEASE}-postgres-0"
ASK = (*("-n", NAMESPACE, "exec", POD, "--"), *("psql", "-U", "roadstead_reader", "roadstead"))
SERVERS = (
    "SELECT server_uuid, name, model_name, status, ready_replicas AS ready, subject "
    "FROM server_records WHERE deleted_at IS NULL"
)
MODELS = (
    "SELECT uuid AS model_uuid, model_name, status, quant_level, file_size_bytes, servers "
    "FROM model_records WHERE deleted_at IS NULL"
)
READY = (
    "SELECT namespace || '/' || name FROM server_records "
    "WHERE deleted_at IS NULL AND status = 'Ready'"
)
BEHIND_SECONDS = 60.0


def show(cluster: Cluster, namespace: str, name: str) -> None:
    """Print both tables once they show the server as ready; nothing if the ledger is elsewhere.

    Raises DevError if they don't within 60 s.
    """
    if cluster.get("-n", NAMESPACE, "pod", POD) is None:
        return
    until_ready(cluster, namespace, name)
    line = (*ASK, "-c", SERVERS, "-c", MODELS)
    echo(f"$ kubectl {shlex.join(line)}")
    echo(cluster.run(*line).rstrip())


def until_ready(cluster: Cluster, namespace: str, name: str) -> None:
    """Wait until the ledger shows the server as ready. Raises DevError after 60 s."""
    deadline = time.monotonic() + BEHIND_SECONDS
    while f"{namespace}/{name}" not in cluster.run(*ASK, "-tAc", READY).splitlines():
        if time.monotonic() > deadline:
            raise DevError(
                f"the ledger does not show {namespace}/{name} as Ready; "
                f"check kubectl -n {NAMESPACE} logs deployment/{RELEASE}-operator"
            )
        time.sleep(0.5)
