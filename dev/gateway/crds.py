"""The CustomResourceDefinitions of Traefik and of the Gateway API, from their Go modules.

They are a megabyte of upstream text, so only Traefik's are in this repository, in the chart. All
are copied once from the modules of the pinned Traefik into the cache.

`python -m dev.gateway.crds` writes Traefik's into the chart.
"""

import os
import shutil
import subprocess
from pathlib import Path

from dev import cache
from dev.binaries import GO_MODULES
from dev.errors import BuildFailed, MissingTool
from dev.versions import TRAEFIK

CHART_FILE = Path(__file__).parents[2] / "chart" / "files" / "traefik" / "crds.yaml"
_FOLDER = GO_MODULES / "cluster"
_SOURCES = {
    "github.com/traefik/traefik/v3": (
        "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
    ),
    "sigs.k8s.io/gateway-api": tuple(
        f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml"
        for kind in (
            "backendtlspolicies",
            "gatewayclasses",
            "gateways",
            "grpcroutes",
            "httproutes",
            "listenersets",
            "referencegrants",
            "tlsroutes",
        )
    ),
}


def crd_files() -> list[Path]:
    """YAML files to apply, Traefik's first. Raises MissingTool or BuildFailed without the modules.

    Go is not needed once they are in the cache.
    """
    key = cache.key((_FOLDER / "go.mod").read_bytes(), repr(_SOURCES))
    folder = cache.root() / "crds" / f"traefik-{TRAEFIK}-{key}"
    if not folder.exists():
        with cache.lock("crds"), cache.staging(folder) as staged:
            _copy(staged)
            if not folder.exists():
                os.replace(_filled(staged), folder)
    return [folder / Path(source).name for sources in _SOURCES.values() for source in sources]


def _copy(staged: Path) -> None:
    (staged / "crds").mkdir()
    for module, sources in _SOURCES.items():
        root = _module(module)
        for source in sources:
            shutil.copyfile(root / source, staged / "crds" / Path(source).name)


def _filled(staged: Path) -> Path:
    return staged / "crds"


def _module(name: str) -> Path:
    """The folder of the module's sources; they are downloaded if they are missing."""
    environ = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    for command in (["download", name], ["list", "-f", "{{.Dir}}", "-m", name]):
        go = ["go", "mod", *command] if command[0] == "download" else ["go", *command]
        try:
            done = subprocess.run(go, cwd=_FOLDER, env=environ, capture_output=True, text=True)
        except FileNotFoundError:
            raise MissingTool("`go` is not on PATH (https://go.dev/dl/)") from None
        if done.returncode != 0:
            raise BuildFailed(f"`{' '.join(go)}` failed:\n{done.stderr.strip()}")
    return Path(done.stdout.strip())


if __name__ == "__main__":
    shutil.copyfile(crd_files()[0], CHART_FILE)
