"""The installed wheel: an editable install would not show missing files."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, outside the checkout."""
    target = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(installed: Path, code: str) -> str:
    """Run Python on the unpacked wheel with the environment's dependencies, not its checkout."""
    paths = [str(installed), sysconfig.get_paths()["purelib"]]
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_asset_is_in_the_wheel(installed: Path) -> None:
    for folder in ("crds", "templates"):
        wanted = {p.relative_to(CHECKOUT) for p in (CHECKOUT / folder).rglob("*") if p.is_file()}
        packed = installed / "roadstead" / "_assets"
        found = {p.relative_to(packed) for p in (packed / folder).rglob("*") if p.is_file()}
        assert found == wanted


def test_console_pages_are_in_the_wheel(installed: Path) -> None:
    source = CHECKOUT / "operator" / "roadstead" / "console"
    packed = installed / "roadstead" / "console"
    for folder in ("templates", "static"):
        wanted = {path.name for path in (source / folder).iterdir()}
        assert {path.name for path in (packed / folder).iterdir()} == wanted


def test_the_command_runs_from_the_wheel(installed: Path) -> None:
    code = (
        "import runpy; sys.argv = ['roadstead', '--help']\n"
        "runpy.run_module('roadstead', run_name='__main__')"
    )
    assert "operator" in run(installed, code)


def test_templates_are_found_in_the_wheel(installed: Path) -> None:
    code = "from roadstead.assets import asset_root; print(asset_root())"
    assert run(installed, code).strip() == str(installed / "roadstead" / "_assets")


def test_operator_folder_is_not_a_package_that_shadows_the_standard_library() -> None:
    assert not (CHECKOUT / "operator" / "__init__.py").exists()
