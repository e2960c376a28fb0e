"""kube-proxy, which implements the addresses of Services with iptables."""

import json
from collections.abc import Mapping
from pathlib import Path

from dev.cluster import processes
from dev.cluster.layout import NODE, POD_CIDR, Layout
from dev.cluster.processes import command


def start(layout: Layout, programs: Mapping[str, Path]) -> None:
    file = layout.config / "kube-proxy.json"
    file.write_text(json.dumps(configuration(layout.config), indent=2))
    settings: dict[str, str | Path] = {"config": file}
    processes.start(layout, "kube-proxy", command(programs["kube-proxy"], settings))


def configuration(config: Path) -> dict[str, object]:
    """KubeProxyConfiguration v1alpha1."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "clientConnection": {"kubeconfig": str(config / "proxy.kubeconfig")},
        "hostnameOverride": NODE,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # Only this machine can reach the gateway.
        "nodePortAddresses": ["127.0.0.0/8"],
        "oomScoreAdj": 0,
        # The machine's own connection tracking settings are not changed.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
