"""Images on the node: docker-archive files are imported into containerd."""

import contextlib
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev.cluster.layout import CONTAINERD_SOCKET
from dev.cluster.shell import run
from dev.errors import DevError
from dev.terminal import echo


def load(archive: Path) -> None:
    """Import a docker-archive into the running cluster, unless the same image is loaded already.

    Raises DevError if containerd is not up or refuses the archive.
    """
    if not CONTAINERD_SOCKET.exists():
        raise DevError("the local cluster is not up; run `make up` to start it")
    wanted = identities(archive)
    if not is_loaded(wanted, _ctr("images", "list")):
        started = time.monotonic()
        _ctr("images", "import", str(archive))
        seconds = time.monotonic() - started
        echo(f"loaded {', '.join(wanted)} into the cluster in {seconds:.1f} s")


@contextlib.contextmanager
def loading(archives: Sequence[Path]) -> Iterator[None]:
    """Load the archives while the block runs, and wait for them at its end.

    Raises what `load` raises; if the block fails, archives that wait are not loaded.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="images") as thread:
        loads = [thread.submit(load, archive) for archive in archives]
        try:
            yield
        except BaseException:
            thread.shutdown(cancel_futures=True)
            raise
        for each in loads:
            each.result()


def identities(archive: Path) -> dict[str, str]:
    """Each tag in the archive with its image's identity, `sha256:` and its config's digest."""
    with tarfile.open(archive) as tar:
        stream = tar.extractfile("manifest.json")
        if stream is None:
            raise DevError(f"{archive} is not a docker-archive: it has no manifest.json")
        manifest = json.load(stream)
    return {tag: _identity(each["Config"]) for each in manifest for tag in each["RepoTags"]}


def _identity(config: str) -> str:
    """`<hex>.json`, or `blobs/sha256/<hex>` in newer archives, as `sha256:<hex>`."""
    return f"sha256:{Path(config).name.removesuffix('.json')}"


def is_loaded(wanted: dict[str, str], listing: str) -> bool:
    """Whether each tag names its image in the output of `ctr images list`.

    containerd's CRI plugin lists an image under its identity as well as under its tags; they are
    the same image if they have the same target.
    """
    rows = [line.split() for line in listing.splitlines()[1:]]
    targets = {row[0]: row[2] for row in rows if len(row) > 2}
    return all(
        tag in targets and targets[tag] == targets.get(identity) for tag, identity in wanted.items()
    )


def _ctr(*arguments: str) -> str:
    return run("ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *arguments)
