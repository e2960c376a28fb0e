"""Kubeconfig files, for people and for the cluster's processes."""

import base64
import json
from pathlib import Path
from typing import Any

from dev.cluster.certificates import Pair


def render(*, server: str, ca: bytes, client: Pair, context: str = "roadstead-dev") -> str:
    """A kubeconfig with embedded certificates, so it can be moved, as JSON (which is YAML)."""
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": context,
                "cluster": {"server": server, "certificate-authority-data": _base64(ca)},
            }
        ],
        "users": [
            {
                "name": context,
                "user": {
                    "client-certificate-data": _base64(client.certificate),
                    "client-key-data": _base64(client.key),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    return json.dumps(config, indent=2) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file with a key: only its owner can read it, from its creation on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
