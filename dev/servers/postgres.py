"""A Postgres server for tests and benchmarks: on 127.0.0.1, data in a folder."""

import contextlib
import dataclasses
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from dev import debian
from dev.errors import StepTimeout
from dev.servers.process import free_port, start, until_ready

START_SECONDS = 120.0
STOP_SECONDS = 60.0
ACCOUNT = "postgres"
"""The account that root starts it as, since Postgres refuses root; created by Debian's package."""
ROLES_SQL = Path(__file__).parents[2] / "chart" / "files" / "postgres" / "roles.sql"
"""Creates database and roles, as in the chart and on an existing Postgres."""

Role = Literal["owner", "writer", "reader"]
ROLES: tuple[Role, ...] = ("owner", "writer", "reader")
Mode = Literal["smart", "fast", "immediate"]
_SIGNALS: Mapping[Mode, int] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_PACKAGES = Path("/usr/lib/postgresql")
_CLUSTERS = Path("/etc/postgresql-common/createcluster.conf")
_SETTINGS = {
    # Committed data survives a kill of the processes, but not a crash of the machine.
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


@dataclasses.dataclass(kw_only=True)
class Postgres:
    """A server that can be stopped and started again, with the same port and data."""

    folder: Path
    port: int
    passwords: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def superuser_dsn(self) -> str:
        """DSN of a superuser, who may do anything."""
        return self._dsn("postgres", self.passwords["postgres"])

    def dsn(self, role: Role) -> str:
        """`postgresql://roadstead_<role>:…@127.0.0.1:PORT/roadstead`."""
        return self._dsn(f"roadstead_{role}", self.passwords[role])

    @property
    def pid(self) -> int:
        """Of the postmaster; RuntimeError if it is not running."""
        if self._process is None:
            raise RuntimeError("Postgres is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it. Raises StepTimeout with the end of the log if it doesn't become ready."""
        command = [str(programs() / "postgres"), "-D", str(self.folder / "data")]
        for name, value in {"port": str(self.port), **_SETTINGS}.items():
            command += ["-c", f"{name}={value}"]
        log = self.folder / "postgres.log"
        self._process = start(command, log, append=True, **_as_account(self.folder))
        try:
            until_ready("Postgres", self._answers, self._process, log, seconds=START_SECONDS)
        except StepTimeout:
            self.kill()
            raise

    def stop(self, mode: Mode = "fast") -> None:
        """Stop it; `smart` waits for its clients to disconnect."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill it with all its child processes, as a power failure would."""
        if self._process is None:
            return
        ended = children(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._process = None
        for each in ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        # A process that still has its shared memory would prevent the next start.
        _wait_for(STOP_SECONDS, lambda: not any(_is_running(each) for each in ended))

    def _dsn(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/roadstead?sslmode=disable"

    def _answers(self) -> bool:
        asked = ["-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        return subprocess.run([str(programs() / "pg_isready"), *asked]).returncode == 0


@contextlib.contextmanager
def running(folder: Path | None = None, *, port: int | None = None) -> Iterator[Postgres]:
    """Start a server with the database and the roles; stop it on exit.

    Started again in the same folder, it has the same passwords and data; without a folder, a
    temporary one is used. The account `postgres` must be able to read every folder of the path,
    which is not the case for pytest's folders.
    """
    programs()
    ours = folder is None
    folder = folder or Path(tempfile.mkdtemp(prefix="roadstead-postgres-"))
    server = Postgres(folder=folder, port=port or free_port(), passwords=_passwords(folder))
    try:
        if not (folder / "data" / "PG_VERSION").exists():
            _initialise(folder, server.passwords["postgres"])
        server.start()
        _make_roles(server)
        yield server
    finally:
        server.kill()
        if ours:
            shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path:
    """The folder of Debian's newest Postgres; installed if there is none."""
    found = sorted(_PACKAGES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        debian.ensure("postgresql-common")
        before = _CLUSTERS.read_text()
        # The package would create a server for the machine, and start it.
        _CLUSTERS.write_text(f"{before}\ncreate_main_cluster = off\n")
        try:
            debian.ensure("postgresql")
        finally:
            _CLUSTERS.write_text(before)
        return programs()
    return found[-1].parent


def _passwords(folder: Path) -> Mapping[str, str]:
    """Passwords of the roles and the superuser, created once for each folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "passwords.json"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(json.dumps({each: secrets.token_hex(12) for each in (*ROLES, "postgres")}))
    _chown(folder)
    found: Mapping[str, str] = json.loads(kept.read_text())
    return found


def _initialise(folder: Path, password: str) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    given = folder / "superuser-password"
    given.touch(mode=0o600)
    given.write_text(password)
    _chown(given)
    command = [str(programs() / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-E"]
    command += ["UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync"]
    command += [f"--pwfile={given}", "--no-instructions"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **_as_account(folder),
    )
    given.unlink()
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed in {folder}:\n{done.stdout.decode(errors='replace')}")


def _chown(path: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(path, account.pw_uid, account.pw_gid)


def _make_roles(server: Postgres) -> None:
    given = {f"ROADSTEAD_{each.upper()}_PASSWORD": server.passwords[each] for each in ROLES}
    database = server.superuser_dsn.replace("/roadstead?", "/postgres?")
    done = subprocess.run(
        [str(programs() / "psql"), "-X", "-q", "-f", str(ROLES_SQL), database],
        env={"PATH": os.environ.get("PATH", ""), **given},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{ROLES_SQL.name} failed:\n{done.stdout}{done.stderr}")


def _as_account(folder: Path) -> dict[str, Any]:
    """Options of a process in `folder`: as ACCOUNT if we are root, otherwise as ourselves."""
    options: dict[str, Any] = {
        "cwd": folder,
        "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
    }
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
    return options


def children(pid: int) -> list[int]:
    """The child processes of a process; empty if it doesn't exist."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(each) for each in text.split()]


def _is_running(pid: int) -> bool:
    try:
        # A zombie has released its resources.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_for(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
