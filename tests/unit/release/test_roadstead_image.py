"""The released image is configured as the one of the Dockerfile."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.errors import BuildFailed
from dev.release import roadstead_image
from dev.release.debian_lock import LockedPackage
from dev.release.layer import file, pack
from dev.release.roadstead_image import ImageInputs, RoadsteadImage
from dev.release.wheel_download import Wheel

DOCKERFILE = (Path(__file__).parents[3] / "Dockerfile").read_text()
LAYER = pack([file("a", "x")], "A file")
IMAGE = RoadsteadImage(
    inputs=ImageInputs(
        architecture="arm64",
        packages=(),
        wheels=(),
        program=Wheel(name="roadstead-1-py3-none-any.whl", sha256="", content=b""),
        created=datetime(2026, 1, 2, tzinfo=UTC),
    ),
    layers=(LAYER,),
    sbom="{}",
)


def locked(name: str, version: str) -> LockedPackage:
    return LockedPackage(
        architecture="arm64", name=name, version=version, sha256="", size=1, path=""
    )


def test_environment_is_that_of_the_dockerfile() -> None:
    (block,) = re.findall(r"^ENV (PATH=.*?)^USER", DOCKERFILE, re.MULTILINE | re.DOTALL)
    config = roadstead_image.config(IMAGE, {})["config"]
    assert config["Env"] == block.replace("\\\n", " ").split()


def test_user_folder_and_command_are_those_of_the_dockerfile() -> None:
    config = roadstead_image.config(IMAGE, {})["config"]
    assert f"\nUSER {config['User']}\n" in DOCKERFILE
    assert f"\nWORKDIR {config['WorkingDir']}\n" in DOCKERFILE
    assert f'\nENTRYPOINT ["{config["Entrypoint"][0]}"]\n' in DOCKERFILE


def test_time_is_the_given_one() -> None:
    found = roadstead_image.config(IMAGE, {})
    assert found["created"] == "2026-01-02T00:00:00Z"
    assert [each["created"] for each in found["history"]] == [found["created"]]


def test_layers_are_listed_by_their_content() -> None:
    found = roadstead_image.config(IMAGE, {})
    assert found["architecture"] == "arm64"
    assert found["rootfs"]["diff_ids"] == [LAYER.diff_id]


def test_version_of_python_has_no_revision_of_debian() -> None:
    packages = [locked("python3", "3.11.2-1+b1"), locked("python3.11", "3.11.2-6+deb12u9")]
    assert roadstead_image.python_version(packages) == "3.11.2"


def test_lock_without_python_is_refused() -> None:
    with pytest.raises(BuildFailed, match=r"no python3\.11: run `make lock`"):
        roadstead_image.python_version([locked("libc6", "2.36")])
