"""Builds what the demo and the tests require, steps side by side.

Compiling uses both cores for minutes; downloads, images and the start of the cluster run
beside it. After an interruption, finished steps are not repeated.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dev import binaries, debian, images, model, preflight, steps
from dev.cluster import lifecycle
from dev.cluster.images import load
from dev.steps import Step

PACKAGES = ("buildah", "mmdebstrap", "curl")
IMAGES = ("roadstead", "minio", "postgres", "llama-server", "traefik")
CORE = lifecycle.PROGRAMS
"""Programs that the cluster starts with; the rest is compiled while it starts."""
COMPILE, IMAGE, FETCH, CLUSTER = "compile", "image", "fetch", "cluster"


def build(*others: str) -> Path:
    """Build what is missing, start the cluster and load its images; returns its kubeconfig.

    `others` are programs that the demo doesn't use. Raises DevError: what the machine lacks, or
    which step failed and why.
    """
    planned = [*plan(), *(_programs(name, name) for name in others)]
    todo = [step for step in planned if not step.done()]
    preflight.check(compiles=any(step.lane == COMPILE for step in todo), builds=bool(todo))
    steps.run(planned)
    kubeconfig = lifecycle.up()
    for archive in images.ensure(*IMAGES).values():
        load(archive)
    return kubeconfig


def plan() -> Sequence[Step]:
    """Every step; those that are done are skipped when they run."""
    return (
        _programs("Kubernetes, etcd and CoreDNS", *CORE),
        _programs("Helm", "helm"),
        _programs("MinIO", "minio"),
        _programs("Traefik", "traefik"),
        _packages(),
        _image("llama-server", seconds=60),
        _image("roadstead", seconds=90),
        _image("postgres", seconds=40),
        _image("minio", seconds=5, needs=("MinIO",)),
        _image("traefik", seconds=5, needs=("Traefik",)),
        Step(
            name="the model",
            lane=FETCH,
            run=model.ensure,
            done=model.is_fetched,
            usual_seconds=30,
        ),
        Step(
            name="the cluster",
            lane=CLUSTER,
            run=_start_cluster,
            done=lambda: lifecycle.status()[0],
            usual_seconds=25,
            needs=("Debian packages", "Kubernetes, etcd and CoreDNS"),
        ),
        *(_loaded(name) for name in ("llama-server", "roadstead", "postgres")),
    )


def _start_cluster() -> Path:
    """Start it, and meanwhile load the images that are built; the others are loaded later."""
    built = [name for name in IMAGES if images.are_built(name)]
    return lifecycle.up(archives=list(images.ensure(*built).values()))


def _programs(title: str, *names: str) -> Step:
    return Step(
        name=title,
        lane=COMPILE,
        run=partial(binaries.ensure, *names),
        done=partial(binaries.are_built, *names),
        usual_seconds=binaries.usual_seconds(*names),
    )


def _loaded(name: str) -> Step:
    """Load a large image into the cluster while the last programs are compiled."""
    return Step(
        name=f"loading {name}",
        lane=CLUSTER,
        run=lambda: load(images.ensure(name)[name]),
        done=partial(images.are_built, name),
        usual_seconds=8,
        needs=("the cluster", f"the image {name}"),
    )


def _packages() -> Step:
    wanted = (*PACKAGES, *lifecycle.missing_packages())
    return Step(
        name="Debian packages",
        lane=IMAGE,
        run=partial(debian.ensure, *wanted),
        done=partial(debian.are_installed, *wanted),
        usual_seconds=20,
    )


def _image(name: str, *, seconds: int, needs: Sequence[str] = ()) -> Step:
    return Step(
        name=f"the image {name}",
        lane=IMAGE,
        run=partial(images.ensure, name),
        done=partial(images.are_built, name),
        usual_seconds=seconds,
        needs=needs,
    )
