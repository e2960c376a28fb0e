"""The Python environment of the image, from wheels, with byte code that is always the same."""

import io
import zipfile
from pathlib import Path

import pytest

from dev.release import wheel_download
from dev.release.compiled_python import ByteCode, compiled_path
from dev.release.layer import file
from dev.release.wheel_download import SITE_PACKAGES, Wheel

SOURCE = "NAMES = {'b', 'a'}\ndef f(self):\n    return self in {'x', 'y', 'self'}\n"


def wheel(*names: str) -> Wheel:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return Wheel(name="foo-1.2-py3-none-any.whl", sha256="", content=buffer.getvalue())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("foo/x.py", "foo/x.py"),
        ("foo-1.2.data/purelib/foo/y.py", "foo/y.py"),
        ("foo-1.2.data/platlib/foo/z.so", "foo/z.so"),
        ("foo-1.2.data/scripts/foo", ""),
        ("foo-1.2.data/headers/foo.h", ""),
    ],
)
def test_files_of_a_wheel_are_installed_without_scripts(name: str, path: str) -> None:
    found = [each.path for each in wheel_download.entries(wheel(name))]
    assert found == ([f"{SITE_PACKAGES}/{path}"] if path else [])


def test_wheel_is_named_by_its_file() -> None:
    assert (wheel().package, wheel().version) == ("foo", "1.2")


def test_each_architecture_has_wheels_for_older_glibcs_too() -> None:
    tags = wheel_download.platforms("arm64")
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(
        tags
    )


def test_byte_code_does_not_depend_on_what_is_compiled_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = file(f"{SITE_PACKAGES}/foo/x.py", SOURCE)
    (alone,) = ByteCode().entries([source])
    beside = ByteCode().entries([file("usr/lib/python3.11/self.py", "self = 'x'\n"), source])
    assert alone.path == f"{SITE_PACKAGES}/foo/__pycache__/x.cpython-311.pyc"
    assert alone in beside


def test_byte_code_is_beside_its_source() -> None:
    assert compiled_path("a/b.py") == "a/__pycache__/b.cpython-311.pyc"
