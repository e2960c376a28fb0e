"""The files beside the images: chart, install.yaml, images.txt, notes, provenance, checksums."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from dev.errors import BuildFailed, DevError
from dev.release import (
    changelog,
    chart_package,
    cutting,
    install_manifest,
    provenance,
    publishing,
    release_build,
    release_settings,
)
from dev.release.oci_layout import IMAGE_MANIFEST, OciLayout
from dev.release.release_settings import ReleaseSettings
from dev.release.wheel_download import Wheel

CHECKOUT = Path(__file__).parents[3]
CHART = CHECKOUT / "chart"
IMAGE = "registry.test/roadstead:0.1.0@sha256:00"
CHANGELOG = (
    "# Changelog\n\nRules. Nothing is released yet, so\neverything is listed as added.\n\n"
    "## Unreleased\n\n### Added\n- New.\n\n## 0.1.0 - 2026-01-02\n\n- Old.\n"
)


def settings(source: Path = CHECKOUT) -> ReleaseSettings:
    return ReleaseSettings(
        source=source, version="0.1.0", commit="ab" * 20, epoch=0, registry="registry.test"
    )


def test_chart_has_the_released_image_as_default() -> None:
    with tarfile.open(fileobj=io.BytesIO(chart_package.package(CHART, IMAGE).archive)) as archive:
        stream = archive.extractfile("roadstead/values.yaml")
        assert stream is not None
        assert yaml.safe_load(stream)["images"]["roadstead"] == IMAGE


def test_values_without_the_default_to_replace_are_refused() -> None:
    with pytest.raises(BuildFailed, match="has no line"):
        chart_package.with_image("images:\n  roadstead: x\n", IMAGE)


def test_chart_is_the_same_whenever_it_is_packaged(tmp_path: Path) -> None:
    archives = []
    for name, umask in (("a", "022"), ("b", "077")):
        command = f'umask {umask}; mkdir "$0"; cp -R "$1" "$0/chart"; touch "$0/chart/values.yaml"'
        subprocess.run(["sh", "-c", command, tmp_path / name, CHART], check=True)
        archives.append(chart_package.package(tmp_path / name / "chart", IMAGE).archive)
    assert archives[0] == archives[1]


def test_images_are_all_that_the_values_name() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    found = install_manifest.images(values)
    assert values["images"]["server"] in found
    assert found == sorted(found)
    assert values["images"]["pullPolicy"] not in found


def test_install_manifest_has_no_key() -> None:
    with pytest.raises(BuildFailed, match="would contain the Secret s"):
        list(install_manifest.installed("kind: Secret\nmetadata: {name: s}\ndata: {key: eA==}\n"))


@pytest.mark.parametrize(("hook", "kept"), [("post-install,post-upgrade", 1), ("post-delete", 0)])
def test_install_manifest_has_the_hooks_of_an_installation(hook: str, kept: int) -> None:
    text = f"kind: Job\nmetadata: {{name: j, annotations: {{helm.sh/hook: '{hook}'}}}}\n"
    assert len(list(install_manifest.installed(text))) == kept


def test_notes_are_those_of_the_version() -> None:
    assert changelog.notes(CHANGELOG, "0.1.0") == "# Roadstead 0.1.0\n\n- Old.\n"


def test_notes_before_the_cut_are_what_is_unreleased() -> None:
    assert "- New." in changelog.notes(CHANGELOG, "0.2.0")


def test_cut_moves_what_is_unreleased_below_the_version() -> None:
    text = changelog.cut(CHANGELOG, "0.2.0", "2026-12-01")
    found = changelog.sections(text)
    assert found["Unreleased"] == ""
    assert found["0.2.0"] == "### Added\n- New."
    assert "Nothing is released" not in text


def test_version_is_cut_once() -> None:
    with pytest.raises(DevError, match=r"has 0\.1\.0 already"):
        changelog.cut(CHANGELOG, "0.1.0", "2026-12-01")


def test_package_and_chart_have_the_same_version() -> None:
    assert release_settings.version(CHECKOUT)


@pytest.mark.parametrize("registry", ["https://ghcr.io/acme", "Registry/x", "a b"])
def test_registry_is_a_host_and_a_path(registry: str) -> None:
    with pytest.raises(DevError, match="expected host"):
        release_settings.registry({"REGISTRY": registry})


def test_provenance_names_what_was_downloaded() -> None:
    wheel = Wheel(name="foo-1.2-py3-none-any.whl", sha256="cd", content=b"")
    found = provenance.predicate(settings(), [], [wheel, wheel])
    assert found["buildDefinition"]["resolvedDependencies"] == [
        {"name": "roadstead", "digest": {"gitCommit": "ab" * 20}},
        {
            "uri": "pkg:pypi/foo@1.2?file_name=foo-1.2-py3-none-any.whl",
            "digest": {"sha256": "cd"},
        },
    ]


def test_statement_has_the_subjects_in_order() -> None:
    found = json.loads(provenance.statement({"b": "2", "a": "1"}, {}))
    assert [each["name"] for each in found["subject"]] == ["a", "b"]


def test_blobs_of_a_layout_are_named_by_their_digests(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "oci")
    added = layout.add_json(IMAGE_MANIFEST, {"b": 1, "a": 2})
    layout.tag("image", added)
    layout.finish()
    blob = tmp_path / "oci" / "blobs" / "sha256" / added.digest.removeprefix("sha256:")
    assert blob.read_bytes() == b'{"a":2,"b":1}'
    assert added.digest == f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}"


def test_changed_file_of_a_release_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("a\n")
    release_build.write_checksums(tmp_path)
    publishing.verify_checksums(tmp_path)
    (tmp_path / "images.txt").write_text("b\n")
    with pytest.raises(DevError, match=r"images\.txt differs"):
        publishing.verify_checksums(tmp_path)


def test_compressed_content_has_neither_a_name_nor_a_time() -> None:
    archive = chart_package.package(CHART, IMAGE).archive
    assert archive[3:8] == b"\0" * 5
    assert gzip.decompress(archive)


def test_cut_changes_the_version_in_each_place(tmp_path: Path) -> None:
    for name in ("CHANGELOG.md", "pyproject.toml", "chart/Chart.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((CHECKOUT / name).read_text())
    cutting.set_version(tmp_path, "7.8.9-rc.1")
    assert release_settings.version(tmp_path) == "7.8.9-rc.1"
