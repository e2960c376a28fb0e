"""The programs of the local cluster, built from pinned upstream Go modules into the cache.

`ensure("etcd", "kubectl")` returns their paths. Programs that are built already are not built
again; if all are, Go is not needed. `python -m dev.binaries NAME...` does the same from a shell.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from dev import cache, longrun, stubs
from dev.errors import BuildFailed, DevError, MissingTool
from dev.terminal import about, announce, echo, indent, is_reported, minutes, tail
from dev.versions import GO_MINIMUM, GO_PROGRAMS, GoProgram

GO_MODULES = Path(__file__).parent / "go"
_COMPILER = ("-gcflags=all=-dwarf=false",)
"""No debug information, which the linker drops anyway: a tenth less to compile."""


def ensure(*names: str) -> dict[str, Path]:
    """Return the path of each named program; build those that are missing.

    Raises MissingTool without a suitable Go, BuildFailed with the end of the build's log.
    """
    programs = [_program(name) for name in names]
    if not is_reported():
        _announce([each for each in programs if not cached(each).exists()])
    for module in dict.fromkeys(each.module for each in programs if not cached(each).exists()):
        with cache.lock(f"build-{module}"):
            missing = [p for p in programs if p.module == module and not cached(p).exists()]
            if missing:
                _build(module, missing)
    return {each.name: cached(each) for each in programs}


def are_built(*names: str) -> bool:
    """Whether all of them are built."""
    return all(cached(_program(name)).exists() for name in names)


def usual_seconds(*names: str) -> int:
    """How long a cold build of them takes on two cores; programs in one binary count once."""
    programs = [_program(name) for name in names]
    return sum({(each.module, each.package): each.usual_seconds for each in programs}.values())


def cached(program: GoProgram) -> Path:
    """Path of the program once it is built: keyed by its module's exact requirements and flags."""
    folder = f"{program.name}-{program.version}-{content_key(program, GO_MODULES)}"
    return cache.root() / "bin" / folder / program.name


def content_key(program: GoProgram, modules: Path) -> str:
    """Key of a program's inputs in this repository.

    The Go version is not part of it: a newer patch release does not justify a ten-minute build.
    """
    folder = modules / program.module
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".mod", ".sum", ".go"})
    contents = (path.read_bytes() for path in sources)
    inputs = (program.name, program.package, program.ldflags, *_COMPILER)
    return cache.key(*inputs, *stubs.changes(folder), *contents)


def _program(name: str) -> GoProgram:
    try:
        return GO_PROGRAMS[name]
    except KeyError:
        known = ", ".join(GO_PROGRAMS)
        raise DevError(f"unknown program {name!r}: expected one of {known}") from None


def _announce(missing: Sequence[GoProgram]) -> None:
    """Print the total time in advance if several builds follow each other."""
    if len({each.package for each in missing}) > 1:
        usual = about(usual_seconds(*(each.name for each in missing)))
        echo(f"building {len(missing)} programs from source, once for all checkouts: {usual}")


def _build(module: str, programs: Sequence[GoProgram]) -> None:
    folder = GO_MODULES / module
    _require_go(folder)
    names = ", ".join(each.name for each in programs)
    usual = usual_seconds(*(each.name for each in programs))
    announce(f"building {names} from source, {about(usual)} the first time")
    started = time.monotonic()
    log = cache.root() / "log" / f"build-{module}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with cache.staging(cache.root() / "bin" / module) as staged:
        for flags, group in _by_ldflags(programs):
            packages = list(dict.fromkeys(each.package for each in group))
            _go_build(folder, packages, flags, staged, log)
        for each in programs:
            _publish(staged, each)
    announce(f"  built {names} in {minutes(time.monotonic() - started)}")


def _by_ldflags(programs: Iterable[GoProgram]) -> list[tuple[str, list[GoProgram]]]:
    """Groups of programs that one `go build` can build: it takes one set of linker flags."""
    groups: dict[str, list[GoProgram]] = {}
    for each in programs:
        groups.setdefault(each.ldflags, []).append(each)
    return list(groups.items())


def _go_build(folder: Path, packages: Sequence[str], ldflags: str, output: Path, log: Path) -> None:
    command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-v", *_COMPILER]
    command += stubs.flags(folder, _go_env())
    command += ["-ldflags", ldflags, "-o", f"{output}/", *packages]
    log.unlink(missing_ok=True)
    code = longrun.run(command, log, _progress, cwd=folder, env=_go_env())
    if code != 0:
        raise BuildFailed(
            f"`go build {' '.join(packages)}` in {folder} failed:\n{_reason(log)}\n"
            f"The whole log: {log}. If a module could not be downloaded, check the network and "
            "the module proxy (`go env GOPROXY`); if the disk is full, run `go clean -cache`. "
            "Then run the same command again: compiled packages are kept."
        )


def _reason(log: Path) -> str:
    """The compiler's errors, which other packages' names may follow; otherwise the log's end."""
    lines = log.read_text(errors="replace").splitlines()
    found = next((place for place, line in enumerate(lines) if line.startswith("# ")), None)
    return tail(log) if found is None else indent(lines[found : found + 10])


def _progress(log: Sequence[str]) -> str:
    lines = log[1:]
    fetched = sum(line.startswith("go: downloading") for line in lines)
    return f"{fetched} modules downloaded, {len(lines) - fetched} packages compiled"


def _publish(staged: Path, program: GoProgram) -> None:
    target = cached(program)
    target.parent.mkdir(parents=True, exist_ok=True)
    linked = target.parent / f".{program.name}"
    linked.unlink(missing_ok=True)
    # A link instead of a copy: several programs may be one binary.
    os.link(staged / go_output_name(program), linked)
    os.replace(linked, target)


def go_output_name(program: GoProgram) -> str:
    """Name of `go build`'s output: the last element of the package path, without major versions.

    `github.com/Shopify/toxiproxy/v2/cmd/server` becomes `server`; the cache has its own name.
    """
    if program.package == ".":
        return program.module
    parts = [part for part in program.package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def _go_env() -> dict[str, str]:
    """Without cgo the programs are static, so they run in an image that contains nothing else."""
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def require_go() -> None:
    """Raises MissingTool without a Go version that can build the programs."""
    _require_go(GO_MODULES / "cluster")


def _require_go(folder: Path) -> None:
    wanted = ".".join(map(str, GO_MINIMUM))
    advice = f"Install Go {wanted} or newer (https://go.dev/dl/) and add `go` to PATH."
    try:
        answer = subprocess.run(
            ["go", "env", "GOVERSION"], cwd=folder, env=_go_env(), capture_output=True, text=True
        )
    except FileNotFoundError:
        raise MissingTool(f"`go` is not on PATH. {advice}") from None
    if answer.returncode != 0:
        raise MissingTool(f"{answer.stderr.strip()}. {advice}")
    if go_version(answer.stdout) < GO_MINIMUM:
        raise MissingTool(f"Go is {answer.stdout.strip()}. {advice}")


def go_version(text: str) -> tuple[int, int]:
    """`go1.26.8` as (1, 26); (0, 0) if it is not a release."""
    found = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def main(names: Sequence[str]) -> int:
    try:
        for path in ensure(*(names or tuple(GO_PROGRAMS))).values():
            print(path)
    except DevError as error:
        echo(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
