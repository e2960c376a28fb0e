"""Where a pod reads the keys of its cluster's ServiceAccount tokens.

The API server answers only callers that authenticate, so the pod's own token is sent; every
ServiceAccount may read the keys by Kubernetes' role `system:service-account-issuer-discovery`.
https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from roadstead.settings import EnvReader

KEYS_PATH: Final = "/openid/v1/jwks"
_MOUNTED: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterKeys:
    """The URL of the keys, and the files to authenticate with and to verify the server with."""

    url: str
    token_file: Path
    """Read at each request: the kubelet renews it."""
    ca_file: Path

    @classmethod
    def read(cls, env: EnvReader) -> ClusterKeys | None:
        """Read a pod's environment, as client libraries do; None outside of a pod."""
        host = env.text("KUBERNETES_SERVICE_HOST", "")
        port = env.integer("KUBERNETES_SERVICE_PORT", 443, high=65535)
        folder = env.file("ROADSTEAD_SERVICE_ACCOUNT_DIR", _MOUNTED)
        if not host:
            return None
        shown = f"[{host}]" if ":" in host else host
        return cls(
            url=f"https://{shown}:{port}{KEYS_PATH}",
            token_file=folder / "token",
            ca_file=folder / "ca.crt",
        )
