"""Byte code of the Python files in an image, the same for the same source."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from dev import cache
from dev.errors import BuildFailed, MissingTool
from dev.release.layer import EntryKind, LayerEntry, digest, file
from dev.release.wheel_download import PYTHON

_NOT_COMPILED = re.compile(
    # The Kubernetes client's 1,500 generated classes load lazily and are never used.
    r".*/kubernetes/(?:aio/)?client/(?:api|models)/"
    r"|usr/(?:share|bin)/|etc/"
)
_COMPILER = Path(__file__).parent / "bytecode.py"


class ByteCode:
    """Compiles files, each once: most are the same in the images of all architectures."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def entries(self, sources: Iterable[LayerEntry]) -> list[LayerEntry]:
        """The byte code of the Python files among the entries.

        Raises MissingTool under another Python than the image's, BuildFailed for an invalid file.
        """
        named = {(each.path, digest(each.content)): each for each in sources if _is_compiled(each)}
        self._compile([each for key, each in named.items() if key not in self._compiled])
        return [file(compiled_path(path), self._compiled[path, of]) for path, of in named]

    def _compile(self, sources: list[LayerEntry]) -> None:
        with cache.staging(cache.root() / "release" / "bytecode") as folder:
            for each in sources:
                target = folder / each.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(each.content)
            _run_compiler(folder, [each.path for each in sources])
            for each in sources:
                content = (folder / compiled_path(each.path)).read_bytes()
                self._compiled[each.path, digest(each.content)] = content


def _is_compiled(entry: LayerEntry) -> bool:
    is_source = entry.kind is EntryKind.FILE and entry.path.endswith(".py")
    return is_source and not _NOT_COMPILED.match(entry.path)


def compiled_path(path: str) -> str:
    """Where the byte code of a source file is (PEP 3147)."""
    parent, _, name = path.rpartition("/")
    return f"{parent}/__pycache__/{name.removesuffix('.py')}.cpython-{PYTHON.replace('.', '')}.pyc"


def _run_compiler(folder: Path, paths: list[str]) -> None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        raise MissingTool(
            f"byte code is made by Python {PYTHON}: make PYTHON=python{PYTHON} release"
        )
    listed = folder / "sources.txt"
    listed.write_text("".join(f"{path}\n" for path in paths))
    command = [sys.executable, "-I", "-S", str(_COMPILER), str(folder), str(listed)]
    # -I ignores PYTHONHASHSEED; since 3.11 marshal sorts sets, whose order depends on it.
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"compiling Python files failed:\n{done.stderr.strip()}")
