"""The comparison: two stores on loopback; Roadstead and the other tools in turn."""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.measure import Cost, run
from dev import samplegguf
from dev.binaries import ensure
from dev.servers import objectstore
from dev.servers.objectstore import MINIO, ObjectStore, Server
from dev.terminal import echo
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import TransferJob, UrlInput
from tests.support.store_client import minio

SOURCE_KEY = "model.gguf"
TARGET_KEY = "copy.gguf"
BUCKET = "models"
UNITS = {"MiB": 2**20, "GiB": 2**30}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """A command line and its inputs."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    stdin: bytes = b""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """Two stores; the source has one model."""

    folder: Path
    size: int
    sha256: str
    source: ObjectStore
    store: ObjectStore

    @property
    def servers(self) -> tuple[int, int]:
        """Their process ids."""
        return self.source.pid, self.store.pid


@contextlib.contextmanager
def staged(size: int, server: Server = MINIO) -> Iterator[Stage]:
    """Start a MinIO as the source and `server` as the store; upload a generated model to both."""
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-bench-") as name,
        objectstore.running(Path(name) / "source") as source,
        objectstore.running(Path(name) / "store", server) as store,
    ):
        model = Path(name) / SOURCE_KEY
        echo(f"generating a gguf file of {size / 2**30:.2f} GiB and uploading it twice")
        samplegguf.write(model, size)
        for each in (source, store):
            minio(each).make_bucket(BUCKET)
        with model.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stage = Stage(folder=Path(name), size=size, sha256=sha256, source=source, store=store)
        _upload(stage, model)
        model.unlink()
        yield stage


def _upload(stage: Stage, model: Path) -> None:
    # With mc: a process's peak RSS includes that of its parent process, which minio-py would
    # make large.
    for name in ("source", "store"):
        subprocess.run(
            [ensure("mc")["mc"], "cp", "--quiet", str(model), f"{name}/{BUCKET}/{SOURCE_KEY}"],
            env=tool_environ(stage),
            check=True,
            stdout=subprocess.DEVNULL,
        )


def transfer_contenders(stage: Stage, *, rclone: bool) -> tuple[Contender, ...]:
    """From the source to the store."""
    tools = tool_environ(stage)
    url = minio(stage.source).presigned_get_object(BUCKET, SOURCE_KEY)
    mc = str(ensure("mc")["mc"])
    pipe = f"curl -sSf {shlex.quote(url)} | {mc} pipe --quiet store/{BUCKET}/{TARGET_KEY}"
    found = [
        _our_transfer(stage, url),
        Contender(name="curl | mc pipe", command=("sh", "-c", pipe), environ=tools),
        Contender(
            name="mc cp",
            command=(
                *(mc, "cp", "--quiet"),
                *(f"source/{BUCKET}/{SOURCE_KEY}", f"store/{BUCKET}/{TARGET_KEY}"),
            ),
            environ=tools,
        ),
    ]
    if rclone:
        program = str(ensure("rclone")["rclone"])
        names = (f"source:{BUCKET}/{SOURCE_KEY}", f"store:{BUCKET}/{TARGET_KEY}")
        found.append(Contender(name="rclone", command=(program, "copyto", *names), environ=tools))
    return tuple(found)


def fetch_contenders(stage: Stage, *, rclone: bool) -> tuple[Contender, ...]:
    """From the store to a file."""
    tools = tool_environ(stage)
    url = minio(stage.store).presigned_get_object(BUCKET, SOURCE_KEY)
    url_file = stage.folder / "url"
    url_file.write_text(url)
    target = stage.folder / "volume" / TARGET_KEY
    mc = str(ensure("mc")["mc"])
    ours = {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_FETCH_URL_FILE": str(url_file),
        "ROADSTEAD_FETCH_TARGET": str(target),
        "ROADSTEAD_FETCH_SHA256": stage.sha256,
        "ROADSTEAD_FETCH_SIZE": str(stage.size),
    }
    found = [
        Contender(
            name="roadstead", command=(sys.executable, "-m", "roadstead", "fetch"), environ=ours
        ),
        Contender(
            name="mc cp",
            command=(mc, "cp", "--quiet", f"store/{BUCKET}/{SOURCE_KEY}", str(target)),
            environ=tools,
        ),
        Contender(name="curl", command=("curl", "-sSf", "-o", str(target), url), environ=tools),
    ]
    if rclone:
        program = str(ensure("rclone")["rclone"])
        command = (program, "copyto", f"store:{BUCKET}/{SOURCE_KEY}", str(target))
        found.append(Contender(name="rclone", command=command, environ=tools))
    return tuple(found)


def contest(
    stage: Stage,
    contenders: tuple[Contender, ...],
    rounds: int,
    clear: Callable[[], None],
) -> dict[str, list[Cost]]:
    """Run them in turn; `clear` removes each result before the next run."""
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds):
        for contender in contenders:
            clear()
            cost = run_contender(stage, contender, servers=stage.servers)
            costs[contender.name].append(cost)
            echo(f"round {turn + 1}: {contender.name:16} {cost.seconds:6.2f} s")
    clear()
    return costs


def run_contender(stage: Stage, contender: Contender, *, servers: Sequence[int]) -> Cost:
    """Run one until it exits; `servers` are the processes whose CPU time counts."""
    # Write back what the last run left, so that this run doesn't wait for it.
    os.sync()
    return run(
        contender.command,
        environ=contender.environ,
        servers=servers,
        stdin=contender.stdin,
        log=stage.folder / "contender.log",
    )


def clear_store(stage: Stage) -> None:
    """Check the object's size, and delete it."""
    client = minio(stage.store)
    for found in client.list_objects(BUCKET, TARGET_KEY):
        if found.size != stage.size:
            raise RuntimeError(f"{TARGET_KEY} has {found.size} bytes instead of {stage.size}")
        client.remove_object(BUCKET, TARGET_KEY)


def clear_volume(stage: Stage) -> None:
    """Check the file's size, and empty the volume."""
    volume = stage.folder / "volume"
    volume.mkdir(exist_ok=True)
    target = volume / TARGET_KEY
    if target.exists() and target.stat().st_size != stage.size:
        raise RuntimeError(f"{target} has {target.stat().st_size} bytes instead of {stage.size}")
    for path in volume.iterdir():
        path.unlink()


def parse_size(text: str) -> int:
    """Parse the option of a size in bytes, such as `2GiB`; raises ArgumentTypeError."""
    match = re.fullmatch(r"([0-9]+)(MiB|GiB)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"invalid size {text!r}: expected such as 512MiB or 2GiB")
    return int(match[1]) * UNITS[match[2]]


def tool_environ(stage: Stage) -> dict[str, str]:
    """Environment with both stores for mc and rclone, which then write no configuration."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(stage.folder)}
    environ["RCLONE_CONFIG"] = str(stage.folder / "rclone.conf")
    for name, server in (("source", stage.source), ("store", stage.store)):
        host = server.endpoint.removeprefix("http://")
        keys = f"{server.access_key}:{server.secret_key}"
        environ[f"MC_HOST_{name}"] = f"http://{keys}@{host}"
        remote = f"RCLONE_CONFIG_{name.upper()}"
        environ[f"{remote}_TYPE"] = "s3"
        environ[f"{remote}_PROVIDER"] = "Minio"
        environ[f"{remote}_ENDPOINT"] = server.endpoint
        environ[f"{remote}_ACCESS_KEY_ID"] = server.access_key
        environ[f"{remote}_SECRET_ACCESS_KEY"] = server.secret_key
    return environ


def _our_transfer(stage: Stage, url: str) -> Contender:
    job = TransferJob(
        model_uid="bench",
        model_name="bench",
        source=UrlInput(url=url),
        target=StoreLocation(endpoint=stage.store.endpoint, bucket=BUCKET, path=TARGET_KEY),
        expected_sha256=stage.sha256,
    )
    environ = {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_STORE_ENDPOINT": stage.store.endpoint,
        "ROADSTEAD_STORE_BUCKET": BUCKET,
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(stage.store.access_key_file),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(stage.store.secret_key_file),
        "ROADSTEAD_SOURCE_ALLOW": stage.source.endpoint,
    }
    return Contender(
        name="roadstead",
        command=(sys.executable, "-m", "roadstead", "transfer"),
        environ=environ,
        stdin=json.dumps(job.to_json()).encode(),
    )
