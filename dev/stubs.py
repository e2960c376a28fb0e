"""Packages of upstream modules that the local cluster's programs are built without.

Go builds from a copy of such a module, in which some files are replaced by ours and others are
removed, and from a go.mod that names the copy. A dependency with few calls needs no copy: the
module's go.mod replaces it by a folder of ours (dev/go/cluster/go.mod).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed

FOLDER = "_stubs"
"""Folder in dev/go. Go skips it because of its name: its files don't build by themselves."""


@dataclass(frozen=True, kw_only=True)
class Stub:
    """Files that are replaced or removed in one upstream module."""

    module: str
    folder: str = ""
    """In FOLDER: each file replaces the upstream file at the same path."""
    removed: Sequence[str] = ()
    """Upstream files that are removed without a replacement."""


@dataclass(frozen=True)
class Upstream:
    """A module as Go has downloaded it."""

    version: str
    folder: Path


_TESTS = shutil.ignore_patterns("*_test.go", "testdata")
"""Not copied in any case: half of a module's files."""

# The numbers are the packages that need not be compiled and the size of their archives, measured
# with `go list -deps -export` and the flags of dev/binaries.py, before and after.
STUBS: Mapping[str, Sequence[Stub]] = {
    "cluster": (
        # Test code of Kubernetes in packages of its servers, with a fake clientset: 61, 152 MB.
        Stub(
            module="k8s.io/apiserver",
            removed=("pkg/admission/plugin/policy/generic/policy_test_context.go",),
        ),
        Stub(module="k8s.io/kubernetes", removed=("pkg/scheduler/backend/queue/testing.go",)),
        # Tiering of objects to Google Cloud Storage: 239, 166 MB; to Azure: 43, 20 MB.
        Stub(module="github.com/minio/minio", folder="minio"),
        # The ACME client's hundred DNS providers and their SDKs: 940.
        Stub(module="github.com/go-acme/lego/v5", folder="lego"),
        Stub(
            module="github.com/traefik/traefik/v3",
            folder="traefik",
            removed=(
                # The provider for Amazon ECS: 90, 153 MB.
                "pkg/provider/ecs/config.go",
                "pkg/provider/ecs/label.go",
                "pkg/observability/logs/aws.go",
                # Redis, as a provider and to limit rates across replicas: 16, 45 MB.
                "pkg/middlewares/ratelimiter/lua.go",
                # Plugins, in Go and in WebAssembly: 90, 60 MB.
                "pkg/plugins/middlewarewasm.go",
                "pkg/plugins/middlewareyaegi.go",
                "pkg/plugins/providers.go",
                "pkg/plugins/wasip.go",
                "pkg/plugins/wasip_mock.go",
                "pkg/observability/logs/wasm.go",
                # And InfluxDB as a target of metrics: 18, 17 MB.
            ),
        ),
    )
}


def flags(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Flags of `go build` for the module in `folder`: empty, or the go.mod to use instead."""
    found = STUBS.get(folder.name, ())
    if not found:
        return []
    downloaded = _download(folder, [stub.module for stub in found], environ)
    replaced = {stub.module: _copy(folder, stub, downloaded[stub.module]) for stub in found}
    return [f"-modfile={_modfile(folder, replaced)}"]


def changes(folder: Path) -> list[str]:
    """Upstream files that are replaced or removed for the module in `folder`.

    The contents of our files don't show that: a stub at another path changes the build.
    """
    return [
        f"{stub.module} {name}"
        for stub in STUBS.get(folder.name, ())
        for name in (*replacements(folder, stub), *stub.removed)
    ]


def replacements(folder: Path, stub: Stub) -> dict[str, Path]:
    """Our files by the path of the upstream file that each replaces."""
    files = folder / FOLDER / stub.folder
    found = sorted(path for path in files.rglob("*") if path.is_file()) if stub.folder else ()
    return {str(path.relative_to(files)): path for path in found}


def apply(stub: Stub, replaced: Mapping[str, Path], copied: Path) -> None:
    """Replace and remove the stub's files in a copy of its module.

    Raises BuildFailed if upstream has no such file; another version may have moved it.
    """
    for name in (*replaced, *stub.removed):
        if not (copied / name).is_file():
            raise BuildFailed(
                f"{stub.module} has no file {name}: adapt dev/stubs.py to its version"
            )
    for name, path in replaced.items():
        shutil.copyfile(path, copied / name)
    for name in stub.removed:
        (copied / name).unlink()


def _copy(folder: Path, stub: Stub, upstream: Upstream) -> Upstream:
    """A copy of the upstream module with the stub applied; created once."""
    replaced = replacements(folder, stub)
    contents = (part for name, path in replaced.items() for part in (name, path.read_bytes()))
    key = cache.key(str(upstream.folder), *stub.removed, *contents)
    target = cache.root() / "go" / f"{upstream.folder.name}-{key}"
    if not target.exists():
        with cache.staging(target) as staged:
            copied = staged / "module"
            shutil.copytree(upstream.folder, copied, copy_function=shutil.copyfile, ignore=_TESTS)
            for path in (copied, *copied.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            apply(stub, replaced, copied)
            os.replace(copied, target)
    return Upstream(upstream.version, target)


def _download(
    folder: Path, modules: Sequence[str], environ: Mapping[str, str]
) -> dict[str, Upstream]:
    command = ["go", "mod", "download", "-json", *modules]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"`{' '.join(command)}` failed:\n{done.stderr or done.stdout}")
    # One JSON object after the other.
    described = json.loads("[" + done.stdout.replace("}\n{", "},{") + "]")
    return {each["Path"]: Upstream(each["Version"], Path(each["Dir"])) for each in described}


def _modfile(folder: Path, replaced: Mapping[str, Upstream]) -> Path:
    """go.mod with the copies in it, and go.sum beside it under the name that Go expects."""
    text = (folder / "go.mod").read_text()
    # With a version, it takes precedence over a line in go.mod that replaces the module too.
    for module, copied in replaced.items():
        text += f"\nreplace {module} {copied.version} => {copied.folder}\n"
    sums = (folder / "go.sum").read_bytes()
    target = cache.root() / "go" / f"{folder.name}-{cache.key(text, sums)}.mod"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".sum").write_bytes(sums)
    target.write_text(text)
    return target
