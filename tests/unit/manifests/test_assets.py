"""Templates are found in a wheel and in a working tree."""

from __future__ import annotations

from pathlib import Path

from roadstead.assets import asset_root


def test_assets_of_a_wheel_are_in_the_package(tmp_path: Path) -> None:
    (tmp_path / "roadstead" / "_assets").mkdir(parents=True)
    assert asset_root(tmp_path / "roadstead") == tmp_path / "roadstead" / "_assets"


def test_assets_of_a_working_tree_are_at_its_root(tmp_path: Path) -> None:
    package = tmp_path / "operator" / "roadstead"
    package.mkdir(parents=True)
    assert asset_root(package) == tmp_path


def test_this_installation_has_its_templates() -> None:
    assert (asset_root() / "templates" / "modelserve" / "deployment.yaml.j2").is_file()
