"""Images: the one that must be named, a registry that replaces the others, and their list."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, CHECKOUT, JOBS, TRAEFIK, Chart, ChartRefused, Rendered

MIRROR = "mirror.example.com:5000/proxy"
INSTALL = CHECKOUT / "docs" / "how-to" / "install.md"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def images(rendered: Rendered) -> set[str]:
    """The images of all containers, and of the servers that the operator creates."""
    found = {each["image"] for pod in rendered.pod_specs() for each in pod["containers"]}
    env = rendered.operator_env()
    return found | {env["ROADSTEAD_OPERATOR_IMAGE"], env["ROADSTEAD_SERVER_IMAGE"]}


@pytest.mark.parametrize(
    "image", ["", "registry.example.com/roadstead:0.1.0", "YOUR-REGISTRY/roadstead:0.1.0"]
)
def test_image_that_nobody_can_pull_is_refused_with_what_to_add(chart: Chart, image: str) -> None:
    with pytest.raises(ChartRefused, match=r"add --set images.roadstead=YOUR-REGISTRY/roadstead:"):
        chart.render({"images": {"roadstead": image}})


def test_registry_replaces_those_of_all_images(chart: Chart) -> None:
    values = {"global": {"imageRegistry": MIRROR}, "images": {"roadstead": ""}, **TRAEFIK, **JOBS}
    assert images(chart.render(values)) == {
        f"{MIRROR}/roadstead:0.1.0",
        f"{MIRROR}/{VALUES['images']['server'].partition('/')[2]}",
        f"{MIRROR}/{VALUES['images']['store'].partition('/')[2]}",
        f"{MIRROR}/{VALUES['images']['postgres'].partition('/')[2]}",
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/minio/minio:1", f"{MIRROR}/minio/minio:1"),
        ("localhost/minio:dev", f"{MIRROR}/minio:dev"),
        ("registry:5000/a/b@sha256:0a", f"{MIRROR}/a/b@sha256:0a"),
        ("minio/minio:1", f"{MIRROR}/minio/minio:1"),
        ("minio:1.2", f"{MIRROR}/minio:1.2"),
    ],
)
def test_registry_replaces_only_a_registry(chart: Chart, image: str, expected: str) -> None:
    values = {"global": {"imageRegistry": MIRROR}, "images": {"store": image}}
    pod = chart.render(values).one("StatefulSet", "roadstead-store")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == expected


def test_every_pod_has_the_global_pull_secrets_too(chart: Chart) -> None:
    values = {
        "global": {"imagePullSecrets": [{"name": "mirror"}, {"name": "both"}]},
        "images": {"pullSecrets": [{"name": "both"}, {"name": "own"}]},
        **TRAEFIK,
        **JOBS,
    }
    expected = [{"name": "mirror"}, {"name": "both"}, {"name": "own"}]
    assert all(pod["imagePullSecrets"] == expected for pod in chart.render(values).pod_specs())


def test_documented_command_lists_every_image(chart: Chart) -> None:
    (command,) = re.findall(r"helm template .*\\\n *\| (awk .*) \| sort -u", INSTALL.read_text())
    rendered = chart.render({**TRAEFIK, **JOBS})
    text = chart.text({**TRAEFIK, **JOBS, "crds": {"enabled": False}})
    done = subprocess.run(
        ["bash", "-c", command], input=text, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == images(rendered)


def annotation(name: str) -> Any:
    found = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    return yaml.safe_load(found[f"artifacthub.io/{name}"])


def test_artifact_hub_lists_the_default_images() -> None:
    public = {name: VALUES["images"][name] for name in ("server", "gateway", "store", "postgres")}
    assert {each["name"]: each["image"] for each in annotation("images")} == public


def test_artifact_hub_lists_the_definitions() -> None:
    crds = [yaml.safe_load(path.read_text()) for path in (CHECKOUT / "crds").iterdir()]
    listed = {each["name"]: (each["kind"], each["version"]) for each in annotation("crds")}
    assert listed == {
        crd["metadata"]["name"]: (
            crd["spec"]["names"]["kind"],
            crd["spec"]["versions"][0]["name"],
        )
        for crd in crds
    }
