"""Start, stop and status of the cluster."""

import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dev import binaries, cache, debian
from dev.cluster import (
    certificates,
    cgroups,
    containerd,
    controlplane,
    dns,
    images,
    kubeconfig,
    kubelet,
    network,
    processes,
    proxy,
    record,
    shell,
    teardown,
)
from dev.cluster.layout import API_SERVER, CNI_PLUGINS, HERE, MACHINE_LOCKS, PORTS, Layout
from dev.cluster.record import Record
from dev.errors import DevError, MissingTool
from dev.terminal import announce, echo, indent
from dev.versions import GO_PROGRAMS

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
    "pause",
)
FOR_PEOPLE = ("kubectl", "helm")
SLOW_SECONDS = 30.0
SOURCES = {".py", ".yaml"}
NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "bridge"): "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
}
"""Programs and the Debian packages that have them; Docker's containerd works too."""


def up(layout: Layout = HERE, archives: Sequence[Path] = ()) -> Path:
    """Start the cluster unless it is up; returns its kubeconfig.

    `archives` are images that are loaded while it starts; into a cluster that is up, they are not.
    Raises DevError: what the machine lacks, or which step failed and the end of its log.
    """
    require_root()
    debian.ensure(*missing_packages())
    programs = binaries.ensure(*PROGRAMS)
    with cache.lock("roadstead-dev", directory=MACHINE_LOCKS):
        fingerprint = _fingerprint(programs)
        if _is_up(layout, programs["kubectl"], fingerprint):
            link_programs(layout)
            announce(f"the cluster is up ({layout.kubeconfig})")
            return layout.kubeconfig
        _remove_other_clusters(layout)
        started = time.monotonic()
        announce("starting the cluster, about 20 s")
        _start(layout, programs, fingerprint, archives)
        echo(f"the cluster is up after {time.monotonic() - started:.0f} s ({layout.kubeconfig})")
    return layout.kubeconfig


def missing_packages() -> tuple[str, ...]:
    """The Debian packages of programs that this machine lacks."""
    return tuple(package for program, package in NEEDED.items() if not shell.has(program))


def link_programs(layout: Layout = HERE) -> None:
    """Create links in .dev/bin to programs for people, if they are built."""
    for name in FOR_PEOPLE:
        program = binaries.cached(GO_PROGRAMS[name])
        if program.exists():
            link = layout.bin / name
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def down(layout: Layout = HERE) -> None:
    """Stop this checkout's cluster and remove what remains of it; another checkout's stays up."""
    require_root()
    with cache.lock("roadstead-dev", directory=MACHINE_LOCKS):
        if not teardown.anything_left():
            echo("no cluster is up")
            return
        found = record.read()
        if found is not None and _is_anothers(found, layout) and Path(found.checkout).exists():
            echo(f"the cluster of {found.checkout} is up; run `make down` there")
            return
        teardown.tear_down()
        echo("the cluster is down; its logs are in .dev/log")


def status(layout: Layout = HERE) -> tuple[bool, str]:
    """Whether this checkout's cluster is healthy, and a description of its state."""
    found = record.read()
    if found is None:
        return False, "left-overs of a killed cluster" if teardown.anything_left() else "down"
    if Path(found.checkout) != layout.checkout:
        return False, f"down; this machine runs the cluster of {found.checkout}"
    known = processes.recorded(layout.run)
    dead = [name for name, process in known.items() if not processes.is_alive(process)]
    if not found.ready or dead or not known:
        exited = ", ".join(dead) or "unknown"
        return False, f"broken; exited: {exited} (run `make up` to restart it)"
    return True, f"up: {', '.join(f'{name} {each.pid}' for name, each in known.items())}"


def require_root() -> None:
    if os.geteuid() != 0:
        raise MissingTool("the local cluster requires root (mounts, network, cgroups): use sudo")


def _fingerprint(programs: Mapping[str, Path]) -> str:
    """Changes with the programs and with the files of this package."""
    sources = sorted(path for path in Path(__file__).parent.rglob("*") if path.suffix in SOURCES)
    return cache.key(*map(str, programs.values()), *(path.read_bytes() for path in sources))


def _is_up(layout: Layout, kubectl: Path, fingerprint: str) -> bool:
    healthy, _ = status(layout)
    found = record.read()
    if not healthy or found is None:
        return False
    if found.fingerprint != fingerprint:
        echo("the cluster was started from other versions than this checkout's: restarting it")
        return False
    # A loaded machine answers late: a cluster that is only slow must not be stopped.
    deadline = time.monotonic() + SLOW_SECONDS
    while not kubelet.node_is_ready(layout, kubectl):
        if time.monotonic() > deadline:
            echo("the cluster's node is not ready: restarting the cluster")
            return False
        time.sleep(1)
    return True


def _remove_other_clusters(layout: Layout) -> None:
    """Stop any cluster of this kind on the machine; check that its ports are free."""
    found = record.read()
    if found is not None and _is_anothers(found, layout):
        echo(f"stopping the cluster of {found.checkout} to start this checkout's")
    elif teardown.anything_left() and not status(layout)[0]:
        echo("cleaning up after a cluster that was killed")
    if teardown.anything_left():
        teardown.tear_down()
    if taken := teardown.listeners(PORTS):
        raise DevError(
            f"the cluster's ports are used by other processes; stop them first:\n{indent(taken)}"
        )


def _is_anothers(found: Record, layout: Layout) -> bool:
    """Whether another checkout's cluster is really up: a process of it still runs."""
    return Path(found.checkout) != layout.checkout and bool(cgroups.pids())


def _start(
    layout: Layout, programs: Mapping[str, Path], fingerprint: str, archives: Sequence[Path]
) -> None:
    noted = Record(
        checkout=str(layout.checkout),
        boot=processes.boot_id(),
        fingerprint=fingerprint,
        ready=False,
        sysctls=network.sysctls(),
        folders=teardown.absent_folders(),
    )
    record.write(noted)
    _prepare(layout)
    cgroups.create()
    network.create()
    echo("  containerd and the control plane")
    containerd.start(layout)
    with images.loading(archives):
        controlplane.start(layout, programs)
        echo("  the node: kubelet, kube-proxy, DNS")
        kubelet.start(layout, programs)
        proxy.start(layout, programs)
        kubelet.wait(layout, programs["kubectl"])
        dns.start(layout, programs)
    record.write(replace(noted, ready=True))


def _prepare(layout: Layout) -> None:
    """Create folders, links for people, certificates and kubeconfigs."""
    for folder in (layout.run, layout.log, layout.bin, layout.config):
        folder.mkdir(parents=True, exist_ok=True)
    layout.config.chmod(0o700)
    processes.remove_records(layout.run)
    link_programs(layout)
    pairs = certificates.issue_all(layout.config, now=dt.datetime.now(dt.UTC))
    ca = pairs["ca"].certificate
    layout.gateway_ca.write_bytes(ca)
    for name in certificates.SUBJECTS:
        text = kubeconfig.render(server=API_SERVER, ca=ca, client=pairs[name])
        kubeconfig.write(layout.config / f"{name}.kubeconfig", text)
    admin = kubeconfig.render(server=API_SERVER, ca=ca, client=pairs["admin"])
    kubeconfig.write(layout.kubeconfig, admin)
