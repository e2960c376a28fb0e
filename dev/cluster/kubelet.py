"""The kubelet, which makes this machine the cluster's only node."""

import json
from collections.abc import Mapping
from pathlib import Path

from dev.cluster import processes
from dev.cluster.controlplane import kubectl_for
from dev.cluster.layout import (
    CGROUP,
    CONTAINERD_SOCKET,
    DNS_IP,
    KUBELET_ROOT,
    NODE,
    NODE_IP,
    POD_LOGS,
    Layout,
)
from dev.cluster.processes import command
from dev.cluster.shell import attempt


def start(layout: Layout, programs: Mapping[str, Path]) -> None:
    """Start it; use `wait` to wait for the node."""
    file = layout.config / "kubelet.json"
    file.write_text(json.dumps(configuration(layout.config), indent=2))
    settings: dict[str, str | Path] = {
        "config": file,
        "kubeconfig": layout.config / "kubelet.kubeconfig",
        "hostname-override": NODE,
        "node-ip": NODE_IP,
        "root-dir": KUBELET_ROOT,
    }
    processes.start(layout, "kubelet", command(programs["kubelet"], settings))


def wait(layout: Layout, kubectl: Path) -> None:
    """Wait until the node is Ready."""
    processes.wait_until(
        "the node",
        lambda: node_is_ready(layout, kubectl),
        seconds=120,
        layout=layout,
        name="kubelet",
    )


def node_is_ready(layout: Layout, kubectl: Path) -> bool:
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    asked = kubectl_for(layout, kubectl)
    return attempt(*asked, "get", "node", NODE, "-o", f"jsonpath={path}").stdout == "True"


def configuration(config: Path) -> dict[str, object]:
    """KubeletConfiguration v1beta1."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(config / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # Lowering it would require CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
        "tlsCertFile": str(config / "kubelet.crt"),
        "tlsPrivateKeyFile": str(config / "kubelet.key"),
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(POD_LOGS),
        "volumePluginDir": str(KUBELET_ROOT / "volume-plugins"),
        # The disk is shared with other programs: pods are evicted only if the node can't continue.
        "evictionHard": {
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "memory.available": "100Mi",
        },
        # Tests kill containers: they restart within seconds, however often, not after five minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
        # There is no registry: a collected image could not be pulled again.
        "imageGCHighThresholdPercent": 100,
    }
