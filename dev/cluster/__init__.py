"""The local cluster: a real Kubernetes with one node, this machine, from upstream source.

`up()` starts it if necessary and returns its kubeconfig; `require_kubeconfig()` does the same for
tests, or returns the cluster that DEMO_CLUSTER=current names. `dev.cluster.images.load` loads an
image. A machine has one such cluster: a checkout replaces another's, and prints that it does.
"""

from dev.cluster.lifecycle import down, status, up
from dev.cluster.target import require_kubeconfig

__all__ = ["down", "require_kubeconfig", "status", "up"]
