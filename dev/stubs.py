"""Parts of upstream modules that the local cluster's programs are built without.

A module's folder may hold replacements for single files: Go builds from a copy of that upstream
module with the file replaced, and from a go.mod that names the copy. The rest stays as it is.
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


@dataclass(frozen=True, kw_only=True)
class Stub:
    """One file of an upstream module, and the file here that takes its place."""

    module: str
    file: str
    replacement: str
    """Relative to the folder in dev/go."""


STUBS: Mapping[str, Sequence[Stub]] = {
    "cluster": (
        # Traefik's ACME client with a hundred DNS providers and their SDKs: 940 packages, none of
        # which a gateway with a certificate of its own uses.
        Stub(
            module="github.com/go-acme/lego/v5",
            file="providers/dns/zz_gen_dns_providers.go",
            replacement="lego/registry.go",
        ),
    )
}


def flags(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """The flags of `go build` for the module in `folder`: none, or the go.mod to use instead."""
    found = STUBS.get(folder.name, ())
    if not found:
        return []
    replaced = {stub.module: _copy(folder, stub, environ) for stub in found}
    return [f"-modfile={_modfile(folder, replaced)}"]


def _copy(folder: Path, stub: Stub, environ: Mapping[str, str]) -> Path:
    """A copy of the upstream module with the file replaced, made once."""
    upstream = _download(folder, stub.module, environ)
    replacement = (folder / stub.replacement).read_bytes()
    target = cache.root() / "go" / f"{upstream.name}-{cache.key(str(upstream), replacement)}"
    if not target.exists():
        with cache.staging(target) as staged:
            copied = staged / "module"
            shutil.copytree(upstream, copied, copy_function=shutil.copyfile)
            for path in (copied, *copied.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            (copied / stub.file).write_bytes(replacement)
            os.replace(copied, target)
    return target


def _download(folder: Path, module: str, environ: Mapping[str, str]) -> Path:
    command = ["go", "mod", "download", "-json", module]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"`{' '.join(command)}` failed:\n{done.stderr or done.stdout}")
    return Path(json.loads(done.stdout)["Dir"])


def _modfile(folder: Path, replaced: Mapping[str, Path]) -> Path:
    """go.mod with the copies in it, and go.sum beside it under the name that Go expects."""
    text = (folder / "go.mod").read_text()
    text += "".join(f"\nreplace {module} => {path}\n" for module, path in replaced.items())
    sums = (folder / "go.sum").read_bytes()
    target = cache.root() / "go" / f"{folder.name}-{cache.key(text, sums)}.mod"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".sum").write_bytes(sums)
    target.write_text(text)
    return target
