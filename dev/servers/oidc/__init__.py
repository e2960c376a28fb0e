"""A real OpenID provider, npm's oidc-provider, for tests of the console's sign-in."""

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev import cache, debian
from dev.errors import MissingTool

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "server.mjs")


@contextlib.contextmanager
def running(port: int, *, client: str, redirect: str) -> Iterator[str]:
    """Its issuer's name, which is its URL; it ends on the way out."""
    command = ["node", "server.mjs", str(port), client, redirect]
    with subprocess.Popen(command, cwd=_installed(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise RuntimeError("the OpenID provider did not start")
            yield f"http://localhost:{port}"
        finally:
            process.terminate()


def _installed() -> Path:
    """The folder it stands in, made once for each version of the lock file."""
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
