"""`install.yaml`, the rendered chart for those who don't use Helm, and `images.txt`."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dev import binaries
from dev.errors import BuildFailed
from dev.versions import KUBERNETES

NAMESPACE = "roadstead-system"
VALUES = Path(__file__).parent / "install-values.yaml"
_SKIPPED_HOOKS = ("post-delete", "test")
"""Objects that Helm creates later; what it creates after an installation is part of it."""

_HEADER = f"""\
# Roadstead {{version}}, rendered from its chart with embedded store, Postgres and gateway.
# It has no keys: create them before you first apply it, for example so:
#
#   kubectl create namespace {NAMESPACE}
#   secret() {{{{ kubectl -n {NAMESPACE} create secret "$@"; }}}}
#   new() {{{{ openssl rand -hex "$1"; }}}}
#   secret generic roadstead-store --from-literal=accessKey=$(new 10) \\
#     --from-literal=secretKey=$(new 20)
#   secret generic roadstead-quant --from-literal=key=$(new 24)
#   secret generic roadstead-jwt --from-literal=secret=$(new 24)
#   secret generic roadstead-gateway --from-literal=key=$(new 24)
#   at=roadstead-postgres.{NAMESPACE}.svc:5432/roadstead?sslmode=disable
#   for role in owner writer reader; do
#     secret generic roadstead-ledger-$role \\
#       --from-literal=dsn="postgresql://roadstead_$role:$(new 16)@$at"
#   done
#   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \\
#     -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout tls.key -out tls.crt
#   secret tls roadstead-gateway-tls --cert tls.crt --key tls.key
#   kubectl apply --server-side -f install.yaml
#
"""


def render(chart: Path, version: str) -> str:
    """The manifest of a packaged chart. Raises BuildFailed if it would contain a key."""
    helm = binaries.ensure("helm")["helm"]
    command = [str(helm), "template", "roadstead", str(chart), "--namespace", NAMESPACE]
    command += ["--kube-version", KUBERNETES, "-f", str(VALUES)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"`helm template` failed: {done.stderr.strip()}")
    kept = list(installed(done.stdout))
    return _HEADER.format(version=version) + "".join(f"---\n{each.strip()}\n" for each in kept)


def installed(rendered: str) -> Iterator[str]:
    """The documents of an installation. Raises BuildFailed for a Secret with content."""
    for text in re.split(r"(?m)^---\s*$", rendered):
        found = yaml.safe_load(text)
        if not found or _is_skipped(found):
            continue
        if found["kind"] == "Secret" and (found.get("data") or found.get("stringData")):
            name = found["metadata"]["name"]
            raise BuildFailed(f"install.yaml would contain the Secret {name}: name it in {VALUES}")
        yield text


def _is_skipped(found: Mapping[str, Any]) -> bool:
    hooks = found["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    return any(each in _SKIPPED_HOOKS for each in hooks.split(","))


def images(values: Mapping[str, Any]) -> list[str]:
    """All images of the chart's values, sorted: those of servers and of optional parts included."""
    return sorted(set(_references(values["images"])))


def _references(found: Mapping[str, Any]) -> Iterable[str]:
    """Names of images have a path; a pull policy has none."""
    return (each for each in found.values() if isinstance(each, str) and "/" in each)
