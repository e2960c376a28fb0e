"""The Quant service as a process of its own."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantProcess:
    """Where it listens, and the file with the key for service tokens."""

    endpoint: str
    key_file: Path
