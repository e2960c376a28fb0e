"""Builds docker-archive files in the cache from recipes."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dev import binaries, cache, debian
from dev.errors import DevError
from dev.images import base, buildah, context, llama, llama_debian
from dev.terminal import about, announce, echo, minutes
from dev.versions import GO_PROGRAMS

CHECKOUT = Path(__file__).parents[2]
RECIPES = Path(__file__).parent / "recipes"
KEPT_ARCHIVES = 3
"""Archives of one image that stay in the cache, for several checkouts and the last edits."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image: its inputs, and how the build's folder is created."""

    name: str
    usual_seconds: int
    """Of a build on two cores, with the base and the programs built."""
    digest: Callable[[], str]
    """Changes with any input of the image; cheap, since it builds nothing."""
    lay_out: Callable[[Path], None]
    """Writes the build's context, including its Dockerfile, into an empty folder."""
    needs_base: bool = True


def _recipe(name: str) -> Path:
    return RECIPES / f"{name}.Dockerfile"


def _roadstead(name: str, checkout: Path) -> Image:
    return Image(
        name=name,
        usual_seconds=60,
        digest=lambda: cache.key(base.KEY, context.digest(checkout)),
        lay_out=lambda folder: context.copy(checkout, folder),
    )


def _program(name: str, *, needs_base: bool) -> Image:
    """An image that has one program of dev/versions.py."""

    def lay_out(folder: Path) -> None:
        context.place(folder, _recipe(name), binaries.ensure(name))

    def digest() -> str:
        key = binaries.content_key(GO_PROGRAMS[name], binaries.GO_MODULES)
        return cache.key(key, _recipe(name).read_bytes(), base.KEY if needs_base else "")

    return Image(name=name, usual_seconds=5, digest=digest, lay_out=lay_out, needs_base=needs_base)


def _lay_out_postgres(folder: Path) -> None:
    context.place(folder, _recipe("postgres"), {})


def _lay_out_llama_server(folder: Path) -> None:
    """Debian's package, or a build from source if that can't be used."""
    try:
        rootfs = llama_debian.ensure()
    except DevError as error:
        echo(f"Debian's llama.cpp can't be used, building it from source: {error}")
        base.ensure()
        context.place(folder, _recipe("llama-server"), {"llama-server": llama.ensure()})
    else:
        context.place(folder, _recipe("llama-server-debian"), {"rootfs.tar": rootfs})


_IMAGES = (
    _roadstead("roadstead", CHECKOUT),
    _program("versitygw", needs_base=True),
    Image(
        name="postgres",
        usual_seconds=40,
        digest=lambda: cache.key(base.KEY, _recipe("postgres").read_bytes()),
        lay_out=_lay_out_postgres,
    ),
    _program("traefik", needs_base=False),
    Image(
        name="llama-server",
        usual_seconds=50,
        digest=lambda: cache.key(
            llama_debian.KEY,
            llama.KEY,
            _recipe("llama-server-debian").read_bytes(),
            _recipe("llama-server").read_bytes(),
        ),
        lay_out=_lay_out_llama_server,
        needs_base=False,
    ),
)

IMAGES: Mapping[str, Image] = MappingProxyType({each.name: each for each in _IMAGES})
"""By name."""


def reference(name: str) -> str:
    """Reference of the image in the local cluster, such as `localhost/roadstead:dev`."""
    return f"localhost/{name}:dev"


def ensure(*names: str) -> dict[str, Path]:
    """The docker-archive file of each named image; those that are missing are built.

    Raises BuildFailed with the end of the build's log, MissingTool if a package is unavailable.
    """
    return {name: _ensure(_image(name)) for name in names}


def are_built(*names: str) -> bool:
    """Whether all of them are built."""
    return all(_archive(_image(name)).exists() for name in names)


def ensure_from(checkout: Path, name: str) -> Path:
    """Roadstead's image built from another checkout, named `name`."""
    return _ensure(_roadstead(name, checkout))


def _image(name: str) -> Image:
    try:
        return IMAGES[name]
    except KeyError:
        raise DevError(f"unknown image {name!r}: expected one of {', '.join(IMAGES)}") from None


def _archive(image: Image) -> Path:
    return cache.root() / "images" / f"{image.name}-{image.digest()}.tar"


def _ensure(image: Image) -> Path:
    archive = _archive(image)
    if not archive.exists():
        with cache.lock("images"):
            if not archive.exists():
                _build(image, archive)
                _delete_old(archive.parent, image.name)
    return archive


def _build(image: Image, archive: Path) -> None:
    debian.ensure("buildah", "mmdebstrap")
    if image.needs_base:
        base.ensure()
    with cache.staging(archive) as staged:
        source = staged / "context"
        source.mkdir()
        image.lay_out(source)
        announce(f"building the image {reference(image.name)}, {about(image.usual_seconds)}")
        started = time.monotonic()
        buildah.build(source, reference(image.name))
        buildah.export(reference(image.name), staged / "image.tar")
        os.replace(staged / "image.tar", archive)
    announce(f"  built {reference(image.name)} in {minutes(time.monotonic() - started)}")


def _delete_old(folder: Path, name: str) -> None:
    archives = [path for path in folder.glob(f"{name}-*.tar") if path.stem[:-13] == name]
    for old in sorted(archives, key=lambda path: path.stat().st_mtime)[:-KEPT_ARCHIVES]:
        old.unlink(missing_ok=True)
