"""Stops a cluster and removes all that it left, also if it was killed.

This doesn't need the checkout that started the cluster: the cgroup, the bridge, the fixed folders
and the machine's record identify what belongs to it.
"""

import contextlib
from pathlib import Path

from dev.cluster import cgroups, mounts, network, processes
from dev.cluster.layout import CONTAINERD_STATE, NODE_STATE, POD_LOGS, RUNTIME, Layout
from dev.cluster.record import Record, read
from dev.cluster.shell import attempt

LEFT_BY_KUBELET = Path("/var/lib/kubelet/device-plugins")
"""The kubelet creates a socket here, whatever its root is."""
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
"""Folders outside the cluster's own that the programs create, inner ones first."""


def anything_left() -> bool:
    """Whether a cluster is up, or has left anything."""
    return RUNTIME.exists() or NODE_STATE.exists() or cgroups.exists() or network.bridge_exists()


def tear_down() -> None:
    """Terminate every process and pod of the cluster, and remove all that it created."""
    record = read()
    if record is not None:
        _terminate_processes(Layout(checkout=Path(record.checkout)))
    cgroups.kill_all()
    _remove_shim_sockets()
    mounts.unmount_below(RUNTIME, NODE_STATE)
    cgroups.remove()
    network.remove()
    _remove_log_links()
    mounts.remove_tree(NODE_STATE)
    if record is not None:
        _restore_machine(record)
    mounts.remove_tree(RUNTIME)


def _terminate_processes(layout: Layout) -> None:
    """The kubelet first, since it restarts pods; then the others."""
    known = processes.recorded(layout.run)
    if kubelet := known.pop("kubelet", None):
        processes.terminate([kubelet], grace_seconds=5)
    processes.terminate(known.values(), grace_seconds=2)
    processes.remove_records(layout.run)
    layout.kubeconfig.unlink(missing_ok=True)


def _remove_shim_sockets() -> None:
    """Remove the shims' sockets, which are in one folder for all; each task records its own."""
    for noted in CONTAINERD_STATE.glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            Path(noted.read_text().removeprefix("unix://")).unlink(missing_ok=True)


def _remove_log_links() -> None:
    for link in LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(POD_LOGS):
            link.unlink()


def _restore_machine(record: Record) -> None:
    if record.boot == processes.boot_id():
        network.restore_sysctls(record.sysctls)
    for folder in map(Path, record.folders):
        if folder == LEFT_BY_KUBELET:
            for name in ("kubelet.sock", "DEPRECATION", "kubelet_internal_checkpoint"):
                (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def absent_folders() -> list[str]:
    """The folders of FOLDERS that don't exist yet, to know later which ones the cluster made."""
    return [str(folder) for folder in FOLDERS if not folder.exists()]


def listeners(ports: tuple[int, ...]) -> list[str]:
    """Lines of `ss` for those ports that a process listens on."""
    lines = attempt("ss", "-Hltnp").stdout.splitlines()
    return [line for line in lines if int(line.split()[3].rpartition(":")[2]) in ports]
