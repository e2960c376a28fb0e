"""A reader who follows the blocks of a page, in a folder of their own."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.charts import CHECKOUT
from tests.support.documentation.blocks import Block, Kind

_PREAMBLE: Final = """set -eo pipefail
grep() { command grep "$@" || [ $? = 1 ]; }       # nothing found is no failure
head() { command head "$@"; cat > /dev/null; }     # which would end the command before it
"""
_WATCH: Final = re.compile(r"^(kubectl .* --watch)$", re.MULTILINE)
WATCH_SECONDS: Final = 2
"""A reader watches until they have seen enough."""
LIMIT_SECONDS: Final = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """Their folder, their environment, and what they write in place of placeholders."""

    folder: Path
    env: Mapping[str, str]
    replacements: Mapping[str, str]
    """By regular expression, applied in order."""

    @classmethod
    def with_programs(
        cls, folder: Path, *programs: Path, replacements: Mapping[str, str], **env: str
    ) -> Reader:
        """A reader with these programs and `roadstead` on their PATH, in a checkout."""
        (folder / "bin").mkdir()
        for program in (*programs, CHECKOUT / ".venv" / "bin" / "roadstead"):
            (folder / "bin" / program.name).symlink_to(program)
        for name in ("chart", "crds"):
            (folder / name).symlink_to(CHECKOUT / name)
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        # A home of their own: kubectl and Helm keep there what they discover.
        own = {"PATH": path, "HOME": str(folder), **env}
        return cls(folder=folder, env={**os.environ, **own}, replacements=replacements)

    def follow(self, blocks: Sequence[Block]) -> str:
        """Do what the blocks of a page say, in one shell; returns what the commands printed.

        Raises AssertionError with the place in the page if one of them fails.
        """
        done = subprocess.run(
            ["bash", "-c", self.script(blocks)],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def script(self, blocks: Sequence[Block]) -> str:
        """The blocks as one script, which prints the place of each before it runs."""
        steps = (f"echo '== {block}' >&2\n{self._step(block)}\n" for block in blocks)
        return _PREAMBLE + "".join(steps)

    def _step(self, block: Block) -> str:
        text = self._filled(block.text)
        if block.kind is Kind.COMMANDS:
            return _WATCH.sub(rf"timeout {WATCH_SECONDS} \1 || [ $? = 124 ]", text)
        if block.file_name:
            return f"printf %s {shlex.quote(text)} > {block.file_name}"
        if block.kind is Kind.OBJECTS:
            return f"printf %s {shlex.quote(text)} | kubectl apply -f -"
        return ": # values that another test renders"

    def _filled(self, text: str) -> str:
        for pattern, written in self.replacements.items():
            text = re.sub(pattern, written.replace("\\", r"\\"), text, flags=re.MULTILINE)
        return text
