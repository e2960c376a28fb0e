"""etcd, the API server, the controller manager and the scheduler."""

from collections.abc import Mapping
from pathlib import Path

from dev.cluster import audit, processes
from dev.cluster.layout import ETCD_DATA, NODE_IP, SERVICE_CIDR, Layout
from dev.cluster.processes import command
from dev.cluster.shell import attempt

ETCD = "http://127.0.0.1:2379"
ISSUER = "https://kubernetes.default.svc"


def start(layout: Layout, programs: Mapping[str, Path]) -> None:
    """Start all four; returns once the API server is ready (5 s)."""
    processes.start(layout, "etcd", command(programs["etcd"], etcd_flags()))
    settings = {**apiserver_flags(layout.config), **audit.flags(layout)}
    apiserver = command(programs["kube-apiserver"], settings)
    processes.start(layout, "kube-apiserver", apiserver)
    processes.wait_until(
        "the API server",
        lambda: is_ready(layout, programs["kubectl"]),
        seconds=120,
        layout=layout,
        name="kube-apiserver",
    )
    manager = command(programs["kube-controller-manager"], manager_flags(layout.config))
    processes.start(layout, "kube-controller-manager", manager)
    scheduler = command(programs["kube-scheduler"], scheduler_flags(layout.config))
    processes.start(layout, "kube-scheduler", scheduler)


def is_ready(layout: Layout, kubectl: Path) -> bool:
    return attempt(*kubectl_for(layout, kubectl), "get", "--raw", "/readyz").returncode == 0


def kubectl_for(layout: Layout, kubectl: Path) -> tuple[str | Path, ...]:
    """kubectl for this cluster; a request times out after 5 s."""
    return (kubectl, "--kubeconfig", layout.kubeconfig, "--request-timeout=5s")


def etcd_flags() -> dict[str, str | Path]:
    return {
        "data-dir": ETCD_DATA,
        "unsafe-no-fsync": "true",
        "listen-client-urls": ETCD,
        "advertise-client-urls": ETCD,
        "listen-peer-urls": "http://127.0.0.1:2380",
        "log-level": "warn",
    }


def apiserver_flags(config: Path) -> dict[str, str | Path]:
    """Listens on the bridge only: pods and this machine can reach it there."""
    return {
        "etcd-servers": ETCD,
        "bind-address": NODE_IP,
        "advertise-address": NODE_IP,
        "secure-port": "6443",
        "tls-cert-file": config / "apiserver.crt",
        "tls-private-key-file": config / "apiserver.key",
        "client-ca-file": config / "ca.crt",
        "service-account-issuer": ISSUER,
        "service-account-key-file": config / "sa.pub",
        "service-account-signing-key-file": config / "sa.key",
        "service-cluster-ip-range": SERVICE_CIDR,
        # The gateway's node ports are 8080 and 8443.
        "service-node-port-range": "8000-32767",
        "authorization-mode": "Node,RBAC",
        # The second requires the right to an owner's finalizers to set an owner, as on OpenShift.
        "enable-admission-plugins": "NodeRestriction,OwnerReferencesPermissionEnforcement",
        "allow-privileged": "true",
        "kubelet-client-certificate": config / "admin.crt",
        "kubelet-client-key": config / "admin.key",
        "kubelet-certificate-authority": config / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
    }


def manager_flags(config: Path) -> dict[str, str | Path]:
    kubeconfig = config / "controller-manager.kubeconfig"
    return {
        **_client(kubeconfig),
        "service-account-private-key-file": config / "sa.key",
        "root-ca-file": config / "ca.crt",
        "cluster-signing-cert-file": config / "ca.crt",
        "cluster-signing-key-file": config / "ca.key",
        "use-service-account-credentials": "true",
    }


def scheduler_flags(config: Path) -> dict[str, str | Path]:
    return _client(config / "scheduler.kubeconfig")


def _client(kubeconfig: Path) -> dict[str, str | Path]:
    return {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
    }
