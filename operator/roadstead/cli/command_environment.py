"""The environment of the commands that people run, short because it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

from roadstead import logs
from roadstead.settings import EnvReader


def read_environment(environ: Mapping[str, str]) -> EnvReader:
    """Configure the logs, as plain text by default; the caller reads its own settings and ends."""
    env = EnvReader(environ)
    form = env.log_format("console")
    logs.configure(form=form, level=env.log_level())
    return env
