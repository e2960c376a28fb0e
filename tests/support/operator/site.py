"""The surroundings of an operator under test, and the operator itself."""

import contextlib
import dataclasses
import io
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dev import samplegguf
from dev.servers import objectstore
from dev.servers.objectstore import ObjectStore
from dev.servers.process import answers, free_port
from tests.support.builders.objects import fresh_name
from tests.support.store_client import minio

BUCKET = "quantised"
SIZE = 300_000
PART_BYTES = 16 * 2**20
LARGE = 4 * PART_BYTES
"""Of a model of several parts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """A store, a source and its Quant service."""

    store: ObjectStore
    source: ObjectStore
    quant_endpoint: str
    quant_key_file: Path

    def environ(self, kubeconfig: Path, **changes: str) -> dict[str, str]:
        """The operator's environment."""
        return {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "ROADSTEAD_STORE_ENDPOINT": self.store.endpoint,
            "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(self.store.access_key_file),
            "ROADSTEAD_STORE_SECRET_KEY_FILE": str(self.store.secret_key_file),
            "ROADSTEAD_QUANT_ENDPOINT": self.quant_endpoint,
            "ROADSTEAD_QUANT_KEY_FILE": str(self.quant_key_file),
            "ROADSTEAD_SOURCE_ALLOW": self.source.endpoint,
            "ROADSTEAD_OPERATOR_IMAGE": "roadstead:test",
            "ROADSTEAD_LEADER_ELECTION": "off",
            # What the guard does has tests of its own.
            "ROADSTEAD_ADMISSION": "off",
            "ROADSTEAD_SERVER_IMAGE": "llama-server:test",
            "ROADSTEAD_TRANSFER_ATTEMPTS": "2",
            "ROADSTEAD_HTTP_HOST": "127.0.0.1",
            "ROADSTEAD_HTTP_PORT": str(free_port()),
            **changes,
        }

    def publish(self, content: bytes | None = None) -> str:
        """Put a model into the source under a name of its own."""
        name = fresh_name("model")
        data = samplegguf.sample(SIZE) if content is None else content
        minio(self.source).put_object(BUCKET, f"{name}.gguf", io.BytesIO(data), len(data))
        return name

    def holds(self, bucket: str, path: str) -> bool:
        """Whether the store has an object of exactly this key."""
        found = minio(self.store).list_objects(bucket, prefix=path)
        return any(item.object_name == path for item in found)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """The source's and the store's side, with their data in `folder`."""
    with (
        objectstore.running(folder / "store") as store,
        objectstore.running(folder / "source") as source,
        quant_service(source, folder) as (endpoint, key_file),
    ):
        yield Site(store=store, source=source, quant_endpoint=endpoint, quant_key_file=key_file)


@contextlib.contextmanager
def quant_service(source: ObjectStore, folder: Path) -> Iterator[tuple[str, Path]]:
    """`roadstead quant` in front of the source: its URL, and the file with its key."""
    minio(source).make_bucket(BUCKET)
    key_file = folder / "quant-key"
    key_file.write_text(secrets.token_urlsafe(32))
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_QUANT_PORT": str(port),
        "ROADSTEAD_QUANT_SOURCE_ENDPOINT": source.endpoint,
        "ROADSTEAD_QUANT_SOURCE_BUCKET": BUCKET,
        "ROADSTEAD_QUANT_SOURCE_ACCESS_KEY_FILE": str(source.access_key_file),
        "ROADSTEAD_QUANT_SOURCE_SECRET_KEY_FILE": str(source.secret_key_file),
        "ROADSTEAD_QUANT_KEY_FILE": str(key_file),
    }
    process = subprocess.Popen([sys.executable, "-m", "roadstead", "quant"], env=environ)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(f"{endpoint}/healthz"):
            assert time.monotonic() < deadline, "roadstead quant does not answer"
            time.sleep(0.1)
        yield endpoint, key_file
    finally:
        process.terminate()
        process.wait(20)
