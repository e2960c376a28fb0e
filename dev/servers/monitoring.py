"""The Prometheus operator's CRDs, generated from its published types by its own generator.

They are two megabytes of upstream text, so they are not in this repository.
"""

import os
import subprocess
from pathlib import Path

from dev import binaries, cache
from dev.errors import BuildFailed
from dev.versions import PROMETHEUS_OPERATOR

_FOLDER = binaries.GO_MODULES / "monitoring"
_TYPES = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
_KINDS = ("podmonitors", "prometheusrules", "servicemonitors")


def crd_files() -> list[Path]:
    """YAML files to apply. Raises MissingTool or BuildFailed without Go or the modules."""
    key = cache.key((_FOLDER / "go.mod").read_bytes(), repr(_KINDS))
    folder = cache.root() / "crds" / f"monitoring-{PROMETHEUS_OPERATOR}-{key}"
    if not folder.exists():
        generator = binaries.ensure("controller-gen")["controller-gen"]
        with cache.lock("crds"), cache.staging(folder) as staged:
            if not folder.exists():
                _generate(generator, staged / "crds")
                os.replace(staged / "crds", folder)
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in _KINDS]


def _generate(generator: Path, output: Path) -> None:
    command = [str(generator), "crd:crdVersions=v1", f"paths={_TYPES}", f"output:crd:dir={output}"]
    environ = {**os.environ, "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=_FOLDER, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"controller-gen failed:\n{done.stderr.strip()}")
