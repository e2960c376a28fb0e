"""How the store is reached: its address, and where its keys lie."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from roadstead.errors import Retry, StoreError
from roadstead.fence import Fence
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credentials:
    """An access key and its secret; neither shows in a repr."""

    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """The store at `endpoint` (`http[s]://host[:port]`) and the files that hold its keys.

    The files are read at each use, since a mounted Secret changes when the keys are rotated.
    """

    endpoint: str
    bucket: str
    region: str
    access_key_file: Path
    secret_key_file: Path
    fence: Fence = dataclasses.field(default_factory=Fence.open, repr=False, compare=False)
    """Asked right before each request that changes something."""

    @classmethod
    def read(cls, env: EnvReader) -> StoreAccess:
        """Take the store's settings out of the environment; faults are kept by `env`."""
        return cls(
            endpoint=env.url("ROADSTEAD_STORE_ENDPOINT"),
            bucket=env.text("ROADSTEAD_STORE_BUCKET", "models"),
            region=env.text("ROADSTEAD_STORE_REGION", "us-east-1"),
            access_key_file=env.file("ROADSTEAD_STORE_ACCESS_KEY_FILE"),
            secret_key_file=env.file("ROADSTEAD_STORE_SECRET_KEY_FILE"),
        )

    def credentials(self) -> Credentials:
        """The keys as they are now; raises StoreError where a file can't be read."""
        return Credentials(
            access_key=_key(self.access_key_file), secret_key=_key(self.secret_key_file)
        )


def _key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StoreError(
            "StoreKeysMissing",
            f"the store's key can't be read from {path}: {error.strerror}; mount the Secret there",
            retry=Retry.BACKOFF,
        ) from error
