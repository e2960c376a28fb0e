"""An OpenID provider, npm's oidc-provider, for tests of the console's sign-in."""

import contextlib
import functools
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dev import cache, debian
from dev.errors import MissingTool
from dev.servers import process

HERE = Path(__file__).parent
START_SECONDS = 120.0
FILES = ("package.json", "package-lock.json", "server.mjs")


@contextlib.contextmanager
def running(
    port: int, *, client: str, redirect: str, method: str = "none", secret: str = ""
) -> Iterator[str]:
    """Start it, yield its issuer name, which is its URL, and stop it on exit.

    The client authenticates by `method`, the only one that the provider offers.
    """
    command = ["node", "server.mjs", str(port), client, redirect, method, secret]
    discovery = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-oidc-") as folder,
        process.running(
            "the OpenID provider",
            command,
            Path(folder) / "oidc.log",
            functools.partial(process.answers, discovery),
            seconds=START_SECONDS,
            cwd=_installed(),
        ),
    ):
        yield f"http://localhost:{port}"


def _installed() -> Path:
    """The folder that it is installed in, once for each version of the lock file."""
    if shutil.which("npm") is None:
        debian.ensure("npm")
    content = b"".join((HERE / name).read_bytes() for name in FILES)
    folder = cache.root() / "oidc" / hashlib.sha256(content).hexdigest()[:12]
    with cache.lock("oidc"):
        if not (folder / "node_modules" / "oidc-provider").is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in FILES:
                shutil.copy(HERE / name, folder)
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise MissingTool(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
