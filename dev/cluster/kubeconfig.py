"""Kubeconfig files: for people with everything inside, for the cluster's processes too."""

import base64
import json
from pathlib import Path
from typing import Any

from dev.cluster.certificates import Pair


def render(*, server: str, ca: bytes, client: Pair, context: str = "roadstead-dev") -> str:
    """A kubeconfig with its certificates embedded, as JSON (which is YAML): it can be moved."""
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
    """Readable for its owner alone from its first moment: it holds a key."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
