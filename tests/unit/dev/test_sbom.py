"""The bill of materials lists the installed packages."""

import json
import tarfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from cyclonedx.model.component import Component

from dev.checks.sbom import read
from dev.errors import DevError
from dev.images.sbom import debian_packages, document, hashes, python_package

STATUS = """\
Package: libfoo1
Status: install ok installed
Architecture: amd64
Source: foo (1.0-1)
Version: 1:1.0-1+b2
Description: a library
 of two lines

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 2
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
License: MIT
 Permission is hereby granted.

License: GPL-2+
"""


def distribution(folder: Path, name: str, *lines: str) -> Distribution:
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    head = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.2")
    (info / "METADATA").write_text("\n".join((*head, *lines)) + "\n")
    (found,) = distributions(path=[str(folder)])
    return found


def licences(component: Component) -> list[str | None]:
    return [
        getattr(each, "value", None) or getattr(each, "id", None) or getattr(each, "name", None)
        for each in component.licenses
    ]


def debian(documents: Path) -> list[Component]:
    return list(debian_packages(STATUS, "debian-12", documents))


def test_debian_package_has_its_purl(tmp_path: Path) -> None:
    (found,) = debian(tmp_path)
    assert str(found.purl) == "pkg:deb/debian/libfoo1@1:1.0-1%2Bb2?arch=amd64&distro=debian-12"


def test_debian_licences_are_read_from_the_copyright_file(tmp_path: Path) -> None:
    (tmp_path / "libfoo1").mkdir()
    (tmp_path / "libfoo1" / "copyright").write_text(COPYRIGHT)
    assert licences(debian(tmp_path)[0]) == ["GPL-2+", "MIT"]


def test_free_text_copyright_has_no_licence(tmp_path: Path) -> None:
    (tmp_path / "libfoo1").mkdir()
    (tmp_path / "libfoo1" / "copyright").write_text("This is free.\nLicense: as you like\n")
    assert licences(debian(tmp_path)[0]) == []


def test_python_package_has_the_hash_of_its_wheel(tmp_path: Path) -> None:
    item = {
        "metadata": {"name": "Foo_Bar"},
        "download_info": {"archive_info": {"hashes": {"sha256": "ab" * 32}}},
    }
    known = hashes({"install": [item]})
    component = python_package(distribution(tmp_path, "foo.bar"), known.get("foo-bar"))
    assert str(component.purl) == "pkg:pypi/foo-bar@1.2"
    assert [each.content for each in component.hashes] == ["ab" * 32]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: other"], ["MIT OR Apache-2.0"]),
        (["License: Apache-2.0"], ["Apache-2.0"]),
        (["Classifier: License :: OSI Approved :: MIT License"], ["MIT License"]),
        (["License: a text", "  of two lines", "Classifier: License :: Mine"], ["Mine"]),
        ([], []),
    ],
)
def test_python_licence_is_read_from_the_metadata(
    tmp_path: Path, lines: list[str], names: list[str]
) -> None:
    assert licences(python_package(distribution(tmp_path, "foo", *lines), None)) == names


def test_document_describes_our_program_and_lists_the_others(tmp_path: Path) -> None:
    ours = python_package(distribution(tmp_path, "roadstead"), None)
    found = json.loads(document([ours, *debian(tmp_path)]))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "roadstead"
    assert [each["name"] for each in found["components"]] == ["libfoo1"]


def test_file_is_read_from_the_last_layer(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    for number in (1, 2):
        (tmp_path / "a.txt").write_text(f"layer {number}")
        with tarfile.open(tmp_path / f"{number}.tar", "w") as layer:
            layer.add(tmp_path / "a.txt", "usr/a.txt")
    (tmp_path / "manifest.json").write_text(json.dumps([{"Layers": ["1.tar", "2.tar"]}]))
    with tarfile.open(archive, "w") as image:
        for name in ("1.tar", "2.tar", "manifest.json"):
            image.add(tmp_path / name, name)
    assert read(archive, "usr/a.txt") == b"layer 2"
    with pytest.raises(DevError, match=r"does not contain usr/b\.txt"):
        read(archive, "usr/b.txt")
