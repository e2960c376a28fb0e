"""Archives of our images, and the detection of images that the node already has."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from dev.cluster.archive import ProgramImage, write
from dev.cluster.images import identities, is_loaded, loading
from dev.errors import DevError

TAG = "localhost/tool:1"
IDENTITY = "sha256:aa"
HEADER = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"


@pytest.fixture
def image(tmp_path: Path) -> ProgramImage:
    program = tmp_path / "tool"
    program.write_bytes(b"\x7fELF")
    return ProgramImage(reference=TAG, program=program, arguments=("-v",))


def test_same_program_results_in_the_same_archive(tmp_path: Path, image: ProgramImage) -> None:
    write(image, tmp_path / "a.tar")
    write(image, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_archive_runs_the_program_as_nobody(tmp_path: Path, image: ProgramImage) -> None:
    write(image, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        [name] = [name for name in tar.getnames() if name not in {"layer.tar", "manifest.json"}]
        stream = tar.extractfile(name)
        assert stream is not None
        config = json.load(stream)["config"]
    assert config == {"Entrypoint": ["/tool", "-v"], "User": "65534:65534"}


def test_archive_is_identified_by_its_config(tmp_path: Path, image: ProgramImage) -> None:
    write(image, tmp_path / "a.tar")
    [(tag, identity)] = identities(tmp_path / "a.tar").items()
    with tarfile.open(tmp_path / "a.tar") as tar:
        stream = tar.extractfile(f"{identity.removeprefix('sha256:')}.json")
        assert stream is not None
        assert identity == f"sha256:{hashlib.sha256(stream.read()).hexdigest()}"
    assert tag == TAG


@pytest.mark.parametrize(
    ("rows", "loaded"),
    [
        pytest.param("", False, id="nothing there"),
        pytest.param(f"{TAG} t sha256:m 1\n", False, id="the tag names an older image"),
        pytest.param(f"{TAG} t sha256:m 1\n{IDENTITY} t sha256:n 1\n", False, id="not tagged"),
        pytest.param(f"{TAG} t sha256:m 1\n{IDENTITY} t sha256:m 1\n", True, id="there"),
    ],
)
def test_image_is_loaded_if_its_tag_names_it(rows: str, loaded: bool) -> None:
    assert is_loaded({TAG: IDENTITY}, HEADER + rows) is loaded


def test_failure_of_a_load_is_raised_once_the_cluster_has_started(tmp_path: Path) -> None:
    started = []
    # Without a cluster that is up, an archive can't be loaded; with one, this one is missing.
    with pytest.raises((DevError, FileNotFoundError)), loading([tmp_path / "missing.tar"]):
        started.append(True)
    assert started


def test_failure_of_the_start_is_raised_rather_than_that_of_a_load(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), loading([tmp_path / "missing.tar"] * 3):
        raise ZeroDivisionError
