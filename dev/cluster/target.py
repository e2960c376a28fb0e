"""Which cluster to use: ours, or the one that the environment names."""

import os
from collections.abc import Mapping
from pathlib import Path

from dev.cluster.lifecycle import up
from dev.errors import DevError


def require_kubeconfig(environ: Mapping[str, str] = os.environ) -> Path:
    """The kubeconfig of the cluster to work on; the local cluster is brought up if it is not."""
    return current(environ) or up()


def current(environ: Mapping[str, str]) -> Path | None:
    """The kubeconfig that DEMO_CLUSTER=current and KUBECONFIG name; None for the local cluster.

    Raises DevError where the two do not fit together.
    """
    wanted = environ.get("DEMO_CLUSTER", "")
    if not wanted:
        return None
    if wanted != "current":
        raise DevError(f"DEMO_CLUSTER is {wanted!r}; `current` is all it can be, or leave it unset")
    path = environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        raise DevError("DEMO_CLUSTER=current needs KUBECONFIG to name a cluster's kubeconfig")
    return Path(path)
