"""The root file system of an image: Debian's files, and what maintainer scripts would have made.

The scripts don't run, so what the image needs of their work is made here: the merged /usr,
accounts, the bundle of certificates with its hash links, and dpkg's status, which scanners read.
There is no ld.so.cache: the loader finds all libraries in its default folders.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dev import debian
from dev.errors import BuildFailed
from dev.release.deb_package import DebPackage
from dev.release.layer import EntryKind, LayerEntry, directory, file, link

_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
"""Folders that are links into /usr."""
_LEFT_OUT = re.compile(
    r"usr/share/(?:doc/(?!.*/copyright$)|(?:bug|doc-base|groff|info|linda|lintian|locale|man)/)."
    r"|usr/lib/python3\.\d+/(?:test|idlelib|turtledemo|lib2to3|pydoc_data)/."
    r"|(?:boot|home|media|mnt|opt|srv)$"
)
"""What the slim image of Debian leaves out, licences excepted, and developers' parts of Python."""
_CERTIFICATES = "usr/share/ca-certificates/"

_ACCOUNTS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def entries(packages: Sequence[DebPackage]) -> list[LayerEntry]:
    """All entries of the root file system, in which links into /usr replace the merged folders."""
    unpacked = list(_unpacked(packages))
    return [
        *unpacked,
        *(link(name, f"usr/{name}") for name in _MERGED if _has(unpacked, f"usr/{name}/")),
        directory("tmp", 0o1777),
        directory("var/tmp", 0o1777),
        file("etc/passwd", _ACCOUNTS),
        file("etc/group", _GROUPS),
        *_copied(unpacked, "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
        *_trusted(unpacked),
        file("var/lib/dpkg/status", dpkg_status(packages)),
        *_checksums(packages),
    ]


def _unpacked(packages: Iterable[DebPackage]) -> Iterator[LayerEntry]:
    for package in packages:
        for entry in package.entries:
            path = merged(entry.path)
            if path not in _MERGED and not _LEFT_OUT.match(path):
                yield LayerEntry(
                    path=path,
                    kind=entry.kind,
                    mode=entry.mode,
                    content=entry.content,
                    target=_merged_target(entry),
                )


def merged(path: str) -> str:
    """A package's path in a merged /usr: `lib/x` is `usr/lib/x`."""
    top, _, rest = path.partition("/")
    return f"usr/{path}" if rest and top in _MERGED else path


def _merged_target(entry: LayerEntry) -> str:
    """Absolute targets stay valid through the links; a relative one from the root may not."""
    if entry.path == merged(entry.path) or entry.target.startswith("/") or ".." not in entry.target:
        return entry.target
    raise BuildFailed(
        f"{entry.path} is a relative link to {entry.target}, which merging /usr moves"
    )


def _has(unpacked: Iterable[LayerEntry], prefix: str) -> bool:
    return any(entry.path.startswith(prefix) for entry in unpacked)


def _copied(unpacked: Iterable[LayerEntry], source: str, target: str) -> Iterator[LayerEntry]:
    for entry in unpacked:
        if entry.path == source:
            yield file(target, entry.content)


def _trusted(unpacked: Iterable[LayerEntry]) -> Iterator[LayerEntry]:
    """What update-ca-certificates(8) makes of Mozilla's certificates: a bundle and links."""
    certificates = {
        entry.path: entry.content
        for entry in sorted(unpacked, key=lambda each: each.path)
        if entry.kind is EntryKind.FILE
        and entry.path.startswith(_CERTIFICATES)
        and entry.path.endswith(".crt")
    }
    if not certificates:
        return
    yield file("etc/ssl/certs/ca-certificates.crt", b"".join(certificates.values()))
    yield file(
        "etc/ca-certificates.conf",
        "".join(f"{path.removeprefix(_CERTIFICATES)}\n" for path in certificates),
    )
    taken: dict[str, int] = {}
    for path, content in certificates.items():
        name = f"{Path(path).stem}.pem"
        yield link(f"etc/ssl/certs/{name}", f"/{path}")
        hashed = subject_hash(content)
        number = taken[hashed] = taken.get(hashed, -1) + 1
        yield link(f"etc/ssl/certs/{hashed}.{number}", name)


def subject_hash(certificate: bytes) -> str:
    """The name under which OpenSSL finds a certificate, `openssl x509 -hash`."""
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(certificate)
        stream.flush()
        command = ["openssl", "x509", "-noout", "-hash", "-in", stream.name]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"`openssl x509 -hash` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def require_programs() -> None:
    """Install what this module runs. Raises MissingTool."""
    debian.ensure("openssl")


def dpkg_status(packages: Sequence[DebPackage]) -> str:
    """dpkg's status file, with all packages installed."""
    paragraphs = (
        re.sub(r"^(Package: .*\n)", r"\1Status: install ok installed\n", each.control)
        for each in packages
    )
    return "\n\n".join(paragraphs) + "\n"


def _checksums(packages: Iterable[DebPackage]) -> Iterator[LayerEntry]:
    for package in packages:
        fields = dict(
            re.findall(r"^(Package|Architecture|Multi-Arch): (.*)$", package.control, re.M)
        )
        name = fields["Package"]
        if fields.get("Multi-Arch") == "same":
            name += f":{fields['Architecture']}"
        if package.checksums:
            yield file(f"var/lib/dpkg/info/{name}.md5sums", package.checksums)
