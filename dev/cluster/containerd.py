"""A containerd separate from any that the machine runs: other sockets, other folders."""

from dev import binaries
from dev.cluster import archive, images, processes
from dev.cluster.layout import (
    CNI_CONFIG,
    CNI_PLUGINS,
    CONTAINERD_ROOT,
    CONTAINERD_SOCKET,
    CONTAINERD_STATE,
    RUNC_STATE,
    Layout,
)
from dev.cluster.shell import attempt

PAUSE_IMAGE = "localhost/pause:1"

CONFIG = f"""version = 2
root = "{CONTAINERD_ROOT}"
state = "{CONTAINERD_STATE}"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE a process can't lower its oom_score_adj, and every sandbox would fail.
  restrict_oom_score_adj = true
  # Network namespaces in our own folder can be distinguished from others.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{CNI_CONFIG}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{RUNC_STATE}"
"""


def start(layout: Layout) -> None:
    """Start containerd and load the image of the pods' sandboxes."""
    config = layout.config / "containerd.toml"
    config.write_text(CONFIG)
    processes.start(layout, "containerd", ["containerd", "--config", str(config)])
    processes.wait_until("containerd", _answers, seconds=60, layout=layout, name="containerd")
    pause = archive.ProgramImage(reference=PAUSE_IMAGE, program=binaries.ensure("pause")["pause"])
    images.load(archive.ensure(pause))


def _answers() -> bool:
    if not CONTAINERD_SOCKET.exists():
        return False
    return attempt("ctr", "--address", CONTAINERD_SOCKET, "version").returncode == 0
