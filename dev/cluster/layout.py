"""Paths and addresses of the local cluster.

Files of one checkout are in its `.dev/`. What a machine has only once (the node's containers,
mounts, sockets) is at fixed paths, so any checkout can clean up after any other, even a deleted
one. Those paths are short: a Unix socket's path may have 107 bytes, and the kubelet creates
sockets below its root.
"""

from dataclasses import dataclass
from pathlib import Path

NODE = "node1"
BRIDGE = "roadstead0"
NODE_IP = "10.88.0.1"
"""The bridge's address: only pods and this machine can reach the API server and the kubelet."""
BRIDGE_CIDR = "10.88.0.1/16"
POD_CIDR = "10.88.0.0/16"
FIRST_POD_IP = "10.88.1.1"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_IP = "10.96.0.10"
API_SERVER = f"https://{NODE_IP}:6443"
PORTS = (2379, 2380, 6443, 10248, 10249, 10250, 10256, 10257, 10259)
"""Ports that the cluster's processes listen on."""

MACHINE_LOCKS = Path("/run/lock")
RUNTIME = Path("/run/roadstead-dev")
"""Sockets, containerd's task state, and the record of the checkout whose cluster is up."""
NODE_STATE = Path("/var/lib/roadstead-dev")
"""etcd's data, containerd's images, the kubelet's root: removed with the cluster."""
RECORD = RUNTIME / "cluster.json"
CONTAINERD_SOCKET = RUNTIME / "containerd.sock"
CONTAINERD_STATE = RUNTIME / "containerd"
RUNC_STATE = RUNTIME / "runc"
CONTAINERD_ROOT = NODE_STATE / "containerd"
KUBELET_ROOT = NODE_STATE / "kubelet"
POD_LOGS = NODE_STATE / "pod-logs"
ETCD_DATA = NODE_STATE / "etcd"
CNI_CONFIG = NODE_STATE / "cni"
CNI_PLUGINS = Path("/usr/lib/cni")
CNI_NETWORK = "roadstead-dev"
CNI_RESULTS = Path("/var/lib/cni/results")
CGROUP = "roadstead-dev"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One checkout's `.dev/`."""

    checkout: Path

    @property
    def state(self) -> Path:
        return self.checkout / ".dev"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @property
    def gateway_ca(self) -> Path:
        """CA certificate of the gateway, for curl --cacert."""
        return self.state / "gateway-ca.pem"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def config(self) -> Path:
        """Certificates, kubeconfigs and configuration files of the cluster's processes."""
        return self.state / "config"


HERE = Layout(checkout=Path(__file__).resolve().parents[2])
"""The checkout that this file is in."""
