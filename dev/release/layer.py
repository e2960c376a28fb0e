"""Layers of images as tar files that depend on nothing but their entries."""

import enum
import hashlib
import io
import stat
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LAYER_TIME = 315532800
"""Modification time of all files, 1980-01-01: an unchanged layer keeps its digest."""


class EntryKind(enum.Enum):
    """What an entry of a layer is; other kinds of files are not supported."""

    FILE = enum.auto()
    DIRECTORY = enum.auto()
    LINK = enum.auto()


@dataclass(frozen=True, kw_only=True)
class LayerEntry:
    """A file, directory or symbolic link; its owner is root."""

    path: str
    """From the root of the image, without a leading slash."""
    kind: EntryKind
    mode: int = 0o644
    content: bytes = b""
    target: str = ""
    """Of a symbolic link."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A compressed layer."""

    blob: bytes
    diff_id: str
    """Digest of the uncompressed tar file, as in an image's configuration."""
    comment: str
    """What it has, for the image's history."""


def file(path: str, content: bytes | str, mode: int = 0o644) -> LayerEntry:
    """A regular file."""
    data = content.encode() if isinstance(content, str) else content
    return LayerEntry(path=path, kind=EntryKind.FILE, mode=mode, content=data)


def directory(path: str, mode: int = 0o755) -> LayerEntry:
    """A directory."""
    return LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=mode)


def link(path: str, target: str) -> LayerEntry:
    """A symbolic link."""
    return LayerEntry(path=path, kind=EntryKind.LINK, mode=0o777, target=target)


def pack(entries: Iterable[LayerEntry], comment: str) -> Layer:
    """The layer of these entries and their parents; a later entry replaces an earlier one."""
    named = {entry.path: entry for entry in entries}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in _with_parents(named):
            tar.addfile(_member(entry), io.BytesIO(entry.content))
    data = buffer.getvalue()
    return Layer(blob=compress(data), diff_id=digest(data), comment=comment)


def compress(data: bytes) -> bytes:
    """gzip without a name and a time."""
    packer = zlib.compressobj(level=6, wbits=31)
    return packer.compress(data) + packer.flush()


def digest(data: bytes) -> str:
    """`sha256:` and the digest in hex, as OCI names content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _with_parents(named: Mapping[str, LayerEntry]) -> list[LayerEntry]:
    """In the order of their paths, so that a directory precedes its content."""
    parents = {
        "/".join(parts[:end]): directory("/".join(parts[:end]))
        for parts in (path.split("/") for path in named)
        for end in range(1, len(parts))
    }
    entries = {**parents, **named}
    return [entries[path] for path in sorted(entries)]


def _member(entry: LayerEntry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path)
    member.mode = stat.S_IMODE(entry.mode)
    member.mtime = LAYER_TIME
    member.size = len(entry.content)
    member.linkname = entry.target
    member.type = {
        EntryKind.FILE: tarfile.REGTYPE,
        EntryKind.DIRECTORY: tarfile.DIRTYPE,
        EntryKind.LINK: tarfile.SYMTYPE,
    }[entry.kind]
    return member
