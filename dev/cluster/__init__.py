"""The local cluster: a real Kubernetes with one node, this machine, from upstream source.

`up()` answers with its kubeconfig and starts it where needed; `require_kubeconfig()` is the same
for tests, or the cluster that DEMO_CLUSTER=current names. `dev.cluster.images.load` brings an
image in. One machine has one such cluster: a checkout takes over from another, after saying so.
"""

from dev.cluster.lifecycle import down, status, up
from dev.cluster.target import require_kubeconfig

__all__ = ["down", "require_kubeconfig", "status", "up"]
