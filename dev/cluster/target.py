"""The cluster to use: the local one, or the one that the environment names."""

import os
from collections.abc import Mapping
from pathlib import Path

from dev.cluster.lifecycle import up
from dev.errors import DevError


def require_kubeconfig(environ: Mapping[str, str] = os.environ) -> Path:
    """The kubeconfig of the cluster to use; the local cluster is started if it is not up."""
    return current(environ) or up()


def current(environ: Mapping[str, str]) -> Path | None:
    """The kubeconfig that DEMO_CLUSTER=current and KUBECONFIG name; None for the local cluster.

    Raises DevError if the two don't fit together.
    """
    wanted = environ.get("DEMO_CLUSTER", "")
    if not wanted:
        return None
    if wanted != "current":
        raise DevError(f"invalid DEMO_CLUSTER {wanted!r}: expected `current`, or leave it unset")
    path = environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        raise DevError("DEMO_CLUSTER=current requires KUBECONFIG to name a kubeconfig file")
    return Path(path)
