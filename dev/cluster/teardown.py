"""Ends a cluster and removes all that it left; the same for one that was killed.

Nothing here needs the checkout that brought the cluster up: what is ours is known by the cgroup,
the bridge, the fixed folders and the machine's record.
"""

import contextlib
from pathlib import Path

from dev.cluster import cgroups, mounts, network, processes
from dev.cluster.layout import CONTAINERD_STATE, NODE_STATE, POD_LOGS, RUNTIME, Layout
from dev.cluster.record import Record, read
from dev.cluster.shell import attempt

LEFT_BY_KUBELET = Path("/var/lib/kubelet/device-plugins")
"""Where the kubelet puts a socket whatever its root is."""
LOG_LINKS = Path("/var/log/containers")
FOLDERS = (
    LEFT_BY_KUBELET,
    LEFT_BY_KUBELET.parent,
    LOG_LINKS,
    Path("/var/log/pods"),
    Path("/var/lib/cni/results"),
    Path("/var/lib/cni"),
    Path("/run/containerd/s"),
    Path("/run/containerd"),
    Path("/run/netns"),
)
"""Folders that the programs make outside ours, inner ones first."""


def anything_left() -> bool:
    """Whether any cluster of ours is up, or was and left something."""
    return RUNTIME.exists() or NODE_STATE.exists() or cgroups.exists() or network.bridge_exists()


def tear_down() -> None:
    """End every process and pod of the cluster, and remove all that it put on the machine."""
    record = read()
    if record is not None:
        _end_processes(Layout(checkout=Path(record.checkout)))
    cgroups.kill_all()
    _remove_shim_sockets()
    mounts.unmount_below(RUNTIME, NODE_STATE)
    cgroups.remove()
    network.remove()
    _remove_log_links()
    mounts.remove_tree(NODE_STATE)
    if record is not None:
        _put_back(record)
    mounts.remove_tree(RUNTIME)


def _end_processes(layout: Layout) -> None:
    """The kubelet first, which would start again what ends; then the others, politely."""
    known = processes.recorded(layout.run)
    if kubelet := known.pop("kubelet", None):
        processes.end([kubelet], grace_seconds=5)
    processes.end(known.values(), grace_seconds=2)
    processes.forget(layout.run)
    layout.kubeconfig.unlink(missing_ok=True)


def _remove_shim_sockets() -> None:
    """containerd puts its shims' sockets into one folder for all; each task notes its own."""
    for noted in CONTAINERD_STATE.glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            Path(noted.read_text().removeprefix("unix://")).unlink(missing_ok=True)


def _remove_log_links() -> None:
    for link in LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(POD_LOGS):
            link.unlink()


def _put_back(record: Record) -> None:
    if record.boot == processes.boot_id():
        network.restore_sysctls(record.sysctls)
    for folder in map(Path, record.folders):
        if folder == LEFT_BY_KUBELET:
            for name in ("kubelet.sock", "DEPRECATION", "kubelet_internal_checkpoint"):
                (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def absent_folders() -> list[str]:
    """Those of FOLDERS that are not there now, so that it is known later who made them."""
    return [str(folder) for folder in FOLDERS if not folder.exists()]


def listeners(ports: tuple[int, ...]) -> list[str]:
    """Lines of `ss` for the ports that somebody else listens on."""
    lines = attempt("ss", "-Hltnp").stdout.splitlines()
    return [line for line in lines if int(line.split()[3].rpartition(":")[2]) in ports]
