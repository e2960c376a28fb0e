"""Traefik in the local cluster, at 127.0.0.1:8443 of this machine only."""

import base64
import json
from pathlib import Path

from dev.cluster.layout import HERE
from dev.demo.kubectl import Cluster
from dev.gateway.crds import crd_files
from dev.terminal import echo

NAMESPACE = "traefik"
MANIFEST = Path(__file__).parent / "manifests" / "traefik.yaml"
CERTIFICATE = "gateway-tls"
URL = "https://localhost:8443"


def install(cluster: Cluster) -> None:
    """Install or update it; `wait` waits until it answers."""
    echo(f"installing Traefik, the gateway, at {URL}")
    for file in crd_files():
        cluster.run("apply", "--server-side", "--force-conflicts", "-f", str(file))
    kinds = ("ingressroutes.traefik.io", "gateways.gateway.networking.k8s.io")
    for kind in kinds:
        cluster.run("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=60s")
    documents = MANIFEST.read_text().split("\n---\n")
    cluster.apply(documents[0])
    cluster.apply(json.dumps(_certificate(HERE.config / "gateway")))
    cluster.apply("\n---\n".join(documents[1:]))


def wait(cluster: Cluster) -> None:
    """Wait until its pods are ready."""
    rollout = ("rollout", "status", "deployment/traefik", "--timeout=120s")
    cluster.run("-n", NAMESPACE, *rollout)


def _certificate(pair: Path) -> dict[str, object]:
    """The Secret with the certificate that the cluster's CA has issued."""
    files = {"tls.crt": pair.with_suffix(".crt"), "tls.key": pair.with_suffix(".key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CERTIFICATE, "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": {
            name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()
        },
    }
