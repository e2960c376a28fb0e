"""CoreDNS: names of Services for pods. It forwards nothing: pods can't reach other networks."""

import ipaddress
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from dev.cluster import archive, images, processes
from dev.cluster.controlplane import kubectl_for
from dev.cluster.layout import API_SERVICE_IP, DNS_IP, Layout
from dev.cluster.shell import run
from dev.versions import COREDNS

API_NAME = "kubernetes.default.svc.cluster.local"
MANIFEST = Path(__file__).parent / "manifests" / "coredns.yaml"


def load(program: Path) -> str:
    """Load the image into containerd; returns its reference."""
    reference = f"localhost/coredns:{COREDNS}"
    images.load(archive.ensure(archive.ProgramImage(reference=reference, program=program)))
    return reference


def start(layout: Layout, programs: Mapping[str, Path]) -> None:
    """Apply the Deployment and wait until the Service resolves a name that every cluster has."""
    image = load(programs["coredns"])
    text = MANIFEST.read_text().replace("DNS_IP", DNS_IP).replace("COREDNS_IMAGE", image)
    kubectl = (*kubectl_for(layout, programs["kubectl"]), "-n", "kube-system")
    run(*kubectl, "apply", "--server-side", "-f", "-", stdin=text)
    processes.wait_until(
        "cluster DNS",
        lambda: is_in_answer(_ask(DNS_IP, API_NAME), API_SERVICE_IP),
        seconds=90,
        layout=layout,
        name="kubelet",
    )


def query(name: str) -> bytes:
    """A DNS query for the IPv4 addresses of a name (RFC 1035, section 4)."""
    header = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return header + labels + struct.pack("!BHH", 0, 1, 1)


def is_in_answer(reply: bytes, address: str) -> bool:
    """Whether a reply without error has this IPv4 address as its only answer."""
    if len(reply) < 12:
        return False
    _, flags, _, answers, _, _ = struct.unpack("!6H", reply[:12])
    return flags & 0x0F == 0 and answers == 1 and ipaddress.ip_address(address).packed in reply


def _ask(server: str, name: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(query(name), (server, 53))
            return client.recv(512)
        except OSError:
            return b""
