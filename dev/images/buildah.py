"""Builds with buildah, with its storage inside the cache."""

import os
import subprocess
import sys
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed
from dev.terminal import tail

HOST_CA = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_CA = "/run/host-ca.crt"
"""Path of the host's CA bundle in a build; not the usual path, which a package writes to."""

KEPT_STAGES = 30
"""Unnamed images that the storage keeps; beyond that all are removed, and a full build follows."""


def run(*arguments: str, log: Path) -> str:
    """Run buildah and return its standard output; the rest is written to the log."""
    command = ["buildah", *_storage(), *arguments]
    with log.open("a") as stream:
        stream.write(f"{command}\n")
        stream.flush()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stream, text=True)
        stream.write(done.stdout)
    if done.returncode != 0:
        raise BuildFailed(
            f"`buildah {arguments[0]}` failed:\n{tail(log)}\nThe whole log: {log}. Packages are "
            "downloaded from Debian and PyPI, which requires a network. Then run the same "
            "command again: finished layers are kept."
        )
    return done.stdout.strip()


def log_file(name: str) -> Path:
    """An empty log for one build."""
    path = cache.root() / "log" / f"image-{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def build(source: Path, tag: str) -> None:
    """Build the folder's Dockerfile; layers in the storage are reused.

    `chroot` isolation requires neither cgroups nor network namespaces.
    """
    arguments = ["bud", "--isolation", "chroot", "--layers", "--pull-never", "--format", "docker"]
    if HOST_CA.exists():
        arguments += ["-v", f"{HOST_CA}:{BUILD_CA}:ro", "--build-arg", f"PIP_CERT={BUILD_CA}"]
    if index := _package_index():
        arguments += ["--build-arg", f"PIP_INDEX_URL={index}"]
    log = log_file(_log_name(tag))
    _delete_old_layers(log)
    run(*arguments, "-t", tag, str(source), log=log)


def _delete_old_layers(log: Path) -> None:
    """Remove old stages: each build leaves its stages, which the next build reuses."""
    if len(run("images", "-q", "--filter", "dangling=true", log=log).split()) > KEPT_STAGES:
        # A killed build leaves its container, which would keep its image.
        run("rm", "--all", log=log)
        run("rmi", "--prune", log=log)


def export(tag: str, archive: Path) -> None:
    """Write the image as a docker-archive, the form that containerd imports."""
    log = cache.root() / "log" / f"image-{_log_name(tag)}.log"
    run("push", "-q", tag, f"docker-archive:{archive}:{tag}", log=log)


def _log_name(tag: str) -> str:
    return tag.rsplit("/", 1)[-1].replace(":", "-")


def _storage() -> list[str]:
    """A storage of its own: root's usual storage belongs to people."""
    root = cache.root() / "images" / "storage"
    return [
        *("--root", str(root), "--runroot", f"/run/roadstead-images-{os.getuid()}"),
        *("--storage-driver", "overlay"),
    ]


def _package_index() -> str:
    """The mirror of PyPI that this machine's pip is configured with, if any."""
    if index := os.environ.get("PIP_INDEX_URL", ""):
        return index
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
