"""CoreDNS: names of Services for pods. It asks no one else: pods have no way out."""

from collections.abc import Mapping
from pathlib import Path

from dev.cluster import archive, images, processes
from dev.cluster.controlplane import kubectl_for
from dev.cluster.layout import DNS_IP, Layout
from dev.cluster.shell import attempt, run
from dev.versions import COREDNS

MANIFEST = Path(__file__).parent / "manifests" / "coredns.yaml"


def load(program: Path) -> str:
    """The image's reference, once containerd has it."""
    reference = f"localhost/coredns:{COREDNS}"
    images.load(archive.ensure(archive.ProgramImage(reference=reference, program=program)))
    return reference


def start(layout: Layout, programs: Mapping[str, Path]) -> None:
    """Apply the Deployment and wait until it serves."""
    image = load(programs["coredns"])
    text = MANIFEST.read_text().replace("DNS_IP", DNS_IP).replace("COREDNS_IMAGE", image)
    kubectl = (*kubectl_for(layout, programs["kubectl"]), "-n", "kube-system")
    run(*kubectl, "apply", "--server-side", "-f", "-", stdin=text)
    path = "jsonpath={.status.readyReplicas}"
    processes.wait_until(
        "cluster DNS",
        lambda: attempt(*kubectl, "get", "deployment", "coredns", "-o", path).stdout == "1",
        seconds=90,
        layout=layout,
        name="kubelet",
    )
