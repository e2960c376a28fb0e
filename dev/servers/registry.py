"""The distribution registry: images and other artifacts, in a folder, without TLS."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from dev.binaries import ensure
from dev.servers.process import answers, free_port, running

START_SECONDS = 60.0


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a registry with its content and log in `folder`; its address, `127.0.0.1:PORT`."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    # JSON is YAML.
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
                "http": {"addr": address},
            }
        )
    )
    command = [str(ensure("registry")["registry"]), "serve", str(config)]
    with running(
        "the registry",
        command,
        folder / "registry.log",
        lambda: answers(f"http://{address}/v2/"),
        seconds=START_SECONDS,
    ):
        yield address
