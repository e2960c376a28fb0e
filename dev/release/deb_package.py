"""Debian packages (deb(5)): their fields and files, read without running their scripts."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from dev.errors import BuildFailed
from dev.release.layer import LayerEntry, directory, file, link

_MAGIC = b"!<arch>\n"
_HEADER = 60
_READABLE = (".xz", ".gz", "")
"""Compressions that Python 3.11 reads; Debian's archive has xz."""


@dataclass(frozen=True, kw_only=True)
class DebPackage:
    """A package."""

    control: str
    """The paragraph with its fields, deb-control(5)."""
    checksums: str
    """The md5sums of its files; empty if it has none."""
    entries: tuple[LayerEntry, ...]


def read(data: bytes) -> DebPackage:
    """Parse a package. Raises BuildFailed if it has another form."""
    members = dict(_ar_members(data))
    control = _tar(members, "control.tar")
    with control, _tar(members, "data.tar") as files:
        return DebPackage(
            control=_text(control, "control").strip(),
            checksums=_text(control, "md5sums"),
            entries=tuple(_entries(files)),
        )


def _ar_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive of ar(1) with short names."""
    if not data.startswith(_MAGIC):
        raise BuildFailed("a .deb file is not an ar archive: delete it from the cache")
    place = len(_MAGIC)
    while place < len(data):
        header = data[place : place + _HEADER]
        name, size = header[:16].decode().strip().removesuffix("/"), int(header[48:58])
        start = place + _HEADER
        yield name, data[start : start + size]
        place = start + size + size % 2


def _tar(members: dict[str, bytes], name: str) -> tarfile.TarFile:
    for suffix in _READABLE:
        if (content := members.get(name + suffix)) is not None:
            return tarfile.open(fileobj=io.BytesIO(content))
    raise BuildFailed(f"a .deb file has no {name} in a known compression, but {sorted(members)}")


def _text(tar: tarfile.TarFile, name: str) -> str:
    try:
        stream = tar.extractfile(f"./{name}")
    except KeyError:
        return ""
    return stream.read().decode() if stream else ""


def _entries(tar: tarfile.TarFile) -> Iterator[LayerEntry]:
    """The files; a hard link becomes a copy, which no package that is used has many of."""
    for member in tar:
        path = _clean(member.name)
        if not path:
            continue
        if member.isdir():
            yield directory(path, member.mode)
        elif member.issym():
            yield link(path, member.linkname)
        elif stream := tar.extractfile(member):
            yield file(path, stream.read(), member.mode)
        else:
            raise BuildFailed(f"a .deb file has {path}, which is no file, directory or link")


def _clean(name: str) -> str:
    """Without `./` at the start. Raises BuildFailed for a path outside the root."""
    path = name.removeprefix("./").strip("/")
    if ".." in path.split("/") or path == ".":
        return "" if path == "." else _refuse(path)
    return path


def _refuse(path: str) -> str:
    raise BuildFailed(f"a .deb file has the path {path}, outside its root")
