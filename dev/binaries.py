"""The programs of the local cluster, built from pinned upstream Go modules into the cache.

`ensure("etcd", "kubectl")` returns their paths; what is built already is not built again, and with
everything built no Go is needed. `python -m dev.binaries NAME...` does the same from a shell.
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
from dev.terminal import about, announce, indent, is_reported, minutes, say, tail
from dev.versions import GO_MINIMUM, GO_PROGRAMS, GoProgram

GO_MODULES = Path(__file__).parent / "go"
_COMPILER = ("-gcflags=all=-dwarf=false",)
"""Without what debuggers read, which the linker drops anyway: a tenth less to compile."""


def ensure(*names: str) -> dict[str, Path]:
    """The path of each named program, built where it is missing.

    Raises MissingTool without a fit Go, BuildFailed with the end of the build's log.
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
    """Whether `ensure` has nothing to do."""
    return all(cached(_program(name)).exists() for name in names)


def usual_seconds(*names: str) -> int:
    """How long a cold build of them takes on two cores; programs in one binary count once."""
    programs = [_program(name) for name in names]
    return sum({(each.module, each.package): each.usual_seconds for each in programs}.values())


def cached(program: GoProgram) -> Path:
    """Where the program stands once built: keyed by its module's exact requirements and flags."""
    folder = f"{program.name}-{program.version}-{content_key(program, GO_MODULES)}"
    return cache.root() / "bin" / folder / program.name


def content_key(program: GoProgram, modules: Path) -> str:
    """Changes with anything that we hold of the build.

    Not with the Go that builds: a newer patch release is no reason to build for ten minutes again.
    """
    folder = modules / program.module
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".mod", ".sum", ".go"})
    contents = (path.read_bytes() for path in sources)
    ours = (program.name, program.package, program.ldflags, *_COMPILER)
    return cache.key(*ours, *stubs.changes(folder), *contents)


def _program(name: str) -> GoProgram:
    try:
        return GO_PROGRAMS[name]
    except KeyError:
        raise DevError(f"no program {name!r}; there are: {', '.join(GO_PROGRAMS)}") from None


def _announce(missing: Sequence[GoProgram]) -> None:
    """The sum beforehand, where several builds follow each other."""
    if len({each.package for each in missing}) > 1:
        usual = about(usual_seconds(*(each.name for each in missing)))
        say(f"{len(missing)} programs are built from source, once for all checkouts: {usual}")


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
    """Programs that one `go build` can make together: it takes one set of linker flags."""
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
            f"The whole log: {log}. Without a network, or with a module proxy that lacks a module, "
            "the lines above name it (`go env GOPROXY`); with a full disk, `go clean -cache` and "
            "`df -h` help. Then run the same command again: what is compiled stays compiled."
        )


def _reason(log: Path) -> str:
    """The compiler's errors, which other packages' names may follow; else the log's end."""
    lines = log.read_text(errors="replace").splitlines()
    found = next((place for place, line in enumerate(lines) if line.startswith("# ")), None)
    return tail(log) if found is None else indent(lines[found : found + 10])


def _progress(log: Sequence[str]) -> str:
    lines = log[1:]
    fetched = sum(line.startswith("go: downloading") for line in lines)
    return f"{fetched} modules fetched, {len(lines) - fetched} packages compiled"


def _publish(staged: Path, program: GoProgram) -> None:
    target = cached(program)
    target.parent.mkdir(parents=True, exist_ok=True)
    linked = target.parent / f".{program.name}"
    linked.unlink(missing_ok=True)
    # A link and no copy: several programs may be one binary.
    os.link(staged / go_output_name(program), linked)
    os.replace(linked, target)


def go_output_name(program: GoProgram) -> str:
    """What `go build` calls the program: the last part of its path that is no major version.

    `github.com/Shopify/toxiproxy/v2/cmd/server` becomes `server`; here it gets its own name.
    """
    if program.package == ".":
        return program.module
    parts = [part for part in program.package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def _go_env() -> dict[str, str]:
    """Without cgo the programs are static: they run in an image that holds nothing else."""
    ours = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    return {**os.environ, **ours}


def require_go() -> None:
    """Raises MissingTool without a Go that can build the programs."""
    _require_go(GO_MODULES / "cluster")


def _require_go(folder: Path) -> None:
    wanted = ".".join(map(str, GO_MINIMUM))
    advice = f"Install Go {wanted} or newer (https://go.dev/dl/) and put `go` on PATH."
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
    """`go1.26.8` as (1, 26); (0, 0) for what is not a release."""
    found = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def main(names: Sequence[str]) -> int:
    try:
        for path in ensure(*(names or tuple(GO_PROGRAMS))).values():
            print(path)
    except DevError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
