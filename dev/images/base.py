"""The base image, made from Debian's packages and named as in the Dockerfile's FROM."""

import os
import subprocess
import time
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed
from dev.images import buildah
from dev.terminal import about, announce, minutes, tail
from dev.versions import DEBIAN

NAME = f"debian:{DEBIAN}-slim"
USUAL_SECONDS = 60
_SLIM = ("doc", "groff", "info", "lintian", "linda", "locale", "man")
"""Folders of /usr/share that the slim variant leaves out; licences stay."""

_FLAGS = (
    "--variant=minbase",
    "--components=main",
    # As in the official image; without it, the conversion by `usrmerge` leaves all of Perl behind.
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--include=usr-is-merged",
    *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _SLIM),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--customize-hook=rm -rf "$1"/var/cache/apt/* "$1"/var/log/*',
)

KEY = cache.key(DEBIAN, *_FLAGS)


def ensure() -> None:
    """Create the base image in buildah's storage if it is missing."""
    log = buildah.log_file("base")
    marked = f"localhost/roadstead-base:{KEY}"
    if buildah.run("images", "-q", "--filter", f"reference={marked}", log=log):
        return
    container = buildah.run("from", "scratch", log=log)
    try:
        buildah.run("add", "-q", container, str(_archive(log)), "/", log=log)
        for tag in (NAME, marked):
            buildah.run("commit", "-q", container, tag, log=log)
    finally:
        buildah.run("rm", container, log=log)


def _archive(log: Path) -> Path:
    archive = cache.root() / "images" / f"rootfs-{KEY}.tar"
    if archive.exists():
        return archive
    announce(f"making the base image {NAME} from Debian's packages, {about(USUAL_SECONDS)}")
    started = time.monotonic()
    with cache.staging(archive) as staged, log.open("a") as stream:
        target = staged / "rootfs.tar"
        command = ["mmdebstrap", *_FLAGS, DEBIAN, str(target)]
        if subprocess.run(command, stdout=stream, stderr=stream).returncode != 0:
            raise BuildFailed(
                f"mmdebstrap failed:\n{tail(log)}\nThe whole log: {log}. It requires root and "
                "Debian's package servers; run the same command again once they are available."
            )
        os.replace(target, archive)
    announce(f"  made in {minutes(time.monotonic() - started)}")
    return archive
