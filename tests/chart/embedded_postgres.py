"""The chart's start script, run as its container would, with Debian's Postgres."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import asyncpg

from dev.servers import postgres
from dev.servers.postgres import ROLES
from tests.support.charts import CHART

HOST = "roadstead-postgres"
PROBE = ("pg_isready", "-q", "-h", "127.0.0.1", "-U", "roadstead_reader", "-d", "roadstead")
SECONDS = 120.0
STUCK_INITDB = """#!/bin/sh
{initdb} "$@" &
until [ -e "$ROADSTEAD_POSTGRES_FOLDER/postgres.new/global" ]; do sleep 0.01; done
kill -STOP $!
exec sleep 600
"""


@dataclasses.dataclass(kw_only=True)
class Pod:
    """A pod's folders and, once started, its process; `folder` is open to the account."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def data(self) -> Path:
        """The folder of the database once initdb has completed."""
        return self.folder / "data" / "postgres"

    def set_up(self, passwords: Mapping[str, str]) -> None:
        """Lay out the volumes, with a Secret for each role."""
        shutil.copytree(CHART / "files" / "postgres", self.folder / "config")
        for name in ("data", "sockets"):
            (self.folder / name).mkdir()
        for role, password in passwords.items():
            self.set_dsn(role, f"postgresql://roadstead_{role}:{password}@{HOST}.ns.svc:5432/x")
        account = pwd.getpwnam(postgres.ACCOUNT)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)

    def set_dsn(self, role: str, dsn: str) -> None:
        """Change the DSN in a role's Secret."""
        path = self.folder / "secrets" / role / "dsn"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dsn)

    def start(self) -> None:
        """Run the script in its own process group."""
        account = pwd.getpwnam(postgres.ACCOUNT)
        self.process = subprocess.Popen(
            ["bash", str(self.folder / "config" / "start.sh")],
            env=self._env(),
            cwd=self.folder,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def stuck(self) -> Iterator[None]:
        """Stop a first start in the middle of initdb, within the block."""
        program = self.folder / "programs" / "initdb"
        program.parent.mkdir()
        program.write_text(STUCK_INITDB.format(initdb=postgres.programs() / "initdb"))
        program.chmod(0o755)
        yield
        program.unlink()

    def start_until_ready(self) -> None:
        """Start, and wait until the readiness probe succeeds."""
        self.start()
        self.wait(lambda: self.probe(PROBE))

    def probe(self, command: Sequence[str]) -> bool:
        """Return whether a probe's command succeeds."""
        return subprocess.run(command, env=self._env()).returncode == 0

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` is true. Raises AssertionError if the script exits before."""
        assert self.process is not None
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def refusal(self) -> str:
        """Run the script, which fails, and return its output."""
        self.start()
        assert self.process is not None
        _, output = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 1
        return output

    def stop(self) -> str:
        """Stop Postgres as the preStop hook does, and return the log."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        _, log = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, log
        return log

    def kill(self) -> None:
        """Kill all its processes."""
        if self.process is None or self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=SECONDS)

    async def ask(self, role: str, password: str, sql: str) -> object:
        """Query one value over TCP."""
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=f"roadstead_{role}",
            password=password,
            database="roadstead",
        )
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    def _env(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'programs'}:{postgres.programs()}:/usr/bin:/bin",
            "PGPORT": str(self.port),
            "ROADSTEAD_POSTGRES_HOST": HOST,
            "ROADSTEAD_POSTGRES_FOLDER": str(self.folder / "data"),
            "ROADSTEAD_POSTGRES_CONFIG": str(self.folder / "config"),
            "ROADSTEAD_POSTGRES_SECRETS": str(self.folder / "secrets"),
            "ROADSTEAD_POSTGRES_SOCKETS": str(self.folder / "sockets"),
        }


PASSWORDS: Mapping[str, str] = {each: f"first-{each}" for each in ROLES}
