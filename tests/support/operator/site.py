"""The servers that an operator under test uses."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path

from dev import samplegguf
from dev.servers import objectstore
from dev.servers.objectstore import ObjectStore
from dev.servers.process import free_port
from tests.support.builders.objects import fresh_name
from tests.support.quant_process import running_quant
from tests.support.store_client import minio

BUCKET = "quantised"
SIZE = 300_000
PART_BYTES = 16 * 2**20
LARGE = 4 * PART_BYTES
"""Size of a model with several parts."""


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
            # The admission recheck has its own tests.
            "ROADSTEAD_ADMISSION": "off",
            "ROADSTEAD_SERVER_IMAGE": "llama-server:test",
            "ROADSTEAD_TRANSFER_ATTEMPTS": "2",
            "ROADSTEAD_HTTP_HOST": "127.0.0.1",
            "ROADSTEAD_HTTP_PORT": str(free_port()),
            **changes,
        }

    def publish(self, content: bytes | None = None) -> str:
        """Upload a model to the source under a unique name; returns the name."""
        name = fresh_name("model")
        data = samplegguf.sample(SIZE) if content is None else content
        minio(self.source).put_object(BUCKET, f"{name}.gguf", io.BytesIO(data), len(data))
        return name

    def holds(self, bucket: str, path: str) -> bool:
        """Whether the store has an object with exactly this key."""
        found = minio(self.store).list_objects(bucket, prefix=path)
        return any(item.object_name == path for item in found)


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run a source and a store, with their data in `folder`."""
    with (
        objectstore.running(folder / "store") as store,
        objectstore.running(folder / "source") as source,
    ):
        minio(source).make_bucket(BUCKET)
        with running_quant(source, BUCKET, folder) as quant:
            yield Site(
                store=store,
                source=source,
                quant_endpoint=quant.endpoint,
                quant_key_file=quant.key_file,
            )
