"""The pinned versions are those that Go uses."""

import re
from pathlib import Path

import pytest
import yaml

from dev.binaries import GO_MODULES, content_key, go_output_name, go_version, usual_seconds
from dev.images import reference
from dev.versions import (
    DEBIAN,
    GO_MINIMUM,
    GO_PROGRAMS,
    LLAMA_CPP,
    POSTGRES,
    PROMETHEUS_OPERATOR,
    TRAEFIK,
    VERSITYGW,
    GoProgram,
)
from roadstead.gguf.gguf_types import LLAMA_CPP_BUILD

CHECKOUT = Path(__file__).parents[3]
IMAGES = yaml.safe_load((CHECKOUT / "chart" / "values.yaml").read_text())["images"]
UPSTREAM = [each for each in GO_PROGRAMS.values() if each.requires]


@pytest.mark.parametrize("program", UPSTREAM, ids=lambda program: program.name)
def test_go_mod_requires_the_pinned_version(program: GoProgram) -> None:
    text = (GO_MODULES / program.module / "go.mod").read_text()
    line = re.compile(rf"^(?:require|\t)\s*{re.escape(program.requires)} (\S+)", re.MULTILINE)
    assert line.findall(text) == [program.version]


@pytest.mark.parametrize("program", UPSTREAM, ids=lambda program: program.name)
def test_go_sum_verifies_the_pinned_version(program: GoProgram) -> None:
    lines = (GO_MODULES / program.module / "go.sum").read_text().splitlines()
    assert any(line.startswith(f"{program.requires} {program.version} h1:") for line in lines)


def test_definitions_are_generated_from_the_pinned_types() -> None:
    text = (GO_MODULES / "monitoring" / "go.mod").read_text()
    assert f"/pkg/apis/monitoring {PROMETHEUS_OPERATOR}\n" in text


def test_default_images_of_the_chart_have_the_pinned_versions() -> None:
    build = LLAMA_CPP.partition(".")[0]
    assert {name: image for name, image in IMAGES.items() if ":" in image} == {
        "server": f"ghcr.io/ggml-org/llama.cpp:server-b{build}",
        "gateway": f"docker.io/library/traefik:{TRAEFIK}",
        "store": f"ghcr.io/versity/versitygw:{VERSITYGW}",
        "postgres": f"docker.io/library/postgres:{POSTGRES}-{DEBIAN}",
    }


def test_local_cluster_has_the_charts_store_and_gateway_from_the_pinned_source() -> None:
    images = yaml.safe_load((CHECKOUT / "dev" / "demo" / "values.yaml").read_text())["images"]
    gateway = (CHECKOUT / "dev" / "gateway" / "manifests" / "traefik.yaml").read_text()
    assert images["store"] == reference("versitygw")
    assert f"image: {reference('traefik')}\n" in gateway


def test_gguf_checks_match_the_llama_cpp_of_the_chart() -> None:
    assert f"b{LLAMA_CPP}" == f"{LLAMA_CPP_BUILD}.0.0"


@pytest.mark.parametrize("module", sorted(path.name for path in GO_MODULES.iterdir()))
def test_every_module_requires_the_same_go_version(module: str) -> None:
    text = (GO_MODULES / module / "go.mod").read_text()
    major, minor = GO_MINIMUM
    # cosign requires a patch release.
    patch = r"\d+" if module == "release" else "0"
    assert re.search(rf"^go {major}\.{minor}(\.{patch})?$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["kubelet", "kube-apiserver-oldest"])
def test_kubernetes_siblings_are_of_the_same_release(name: str) -> None:
    program = GO_PROGRAMS[name]
    text = (GO_MODULES / program.module / "go.mod").read_text()
    released = program.version.replace("v1.", "v0.")
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", text, re.MULTILINE)
    assert replaced
    assert all(old == new and version == released for old, new, version in replaced)


@pytest.mark.parametrize(
    ("name", "output"), [("toxiproxy", "server"), ("helm", "helm"), ("kubelet", "kubernetes")]
)
def test_go_output_name_is_that_of_the_package(name: str, output: str) -> None:
    assert go_output_name(GO_PROGRAMS[name]) == output


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26)), ("go1.9", (1, 9)), ("go1.27rc1", (1, 27)), ("devel", (0, 0))],
)
def test_go_version_is_parsed(text: str, version: tuple[int, int]) -> None:
    assert go_version(text) == version


def test_programs_in_one_binary_are_counted_once() -> None:
    alone = usual_seconds("kubelet")
    assert usual_seconds("etcd", "kubelet", "kube-proxy") == alone
    assert usual_seconds("kubelet", "helm") == alone + GO_PROGRAMS["helm"].usual_seconds


def test_programs_of_one_module_have_different_keys() -> None:
    keys = [content_key(each, GO_MODULES) for each in GO_PROGRAMS.values()]
    assert len(set(keys)) == len(keys)
