"""Installs the chart as users do, with values for the given cluster."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.cluster.layout import HERE as LAYOUT
from dev.demo import namespaces
from dev.demo.kubectl import Cluster
from dev.gateway import traefik
from dev.terminal import echo

RELEASE = "roadstead"
NAMESPACE = "roadstead-system"
CHECKOUT = Path(__file__).parents[2]
VALUES = Path("dev", "demo")


def install(
    cluster: Cluster,
    *,
    with_source: bool,
    environ: Mapping[str, str] = os.environ,
    checkout: Path = CHECKOUT,
    image: str = "",
) -> None:
    """Install or upgrade the chart and wait until its pods are ready.

    In a cluster other than the local one, the chart's defaults apply without a gateway, and the
    values file that DEMO_VALUES names. Another `checkout` has its own chart, values and `image`.
    """
    echo(f"installing the chart as release {RELEASE} in {NAMESPACE}")
    if cluster.local:
        traefik.install(cluster)
    # Before the pods exist, so that they are checked too.
    namespaces.ensure(cluster, NAMESPACE)
    files = [checkout / VALUES / ("values.yaml" if cluster.local else "other-cluster-values.yaml")]
    if with_source:
        files.append(checkout / VALUES / "source-values.yaml")
    if own := environ.get("DEMO_VALUES"):
        files.append(Path(own))
    cluster.install(
        *("upgrade", "--install", RELEASE, str(checkout / "chart")),
        *("--namespace", NAMESPACE, "--wait", "--timeout", "180s"),
        *(part for file in files for part in ("--values", str(file))),
        *(("--set-file", f"gateway.caBundle={LAYOUT.gateway_ca}") if cluster.local else ()),
        *(("--set-string", f"images.roadstead={image}") if image else ()),
        *(
            tuple(
                part
                for name in ("operator", "webhooks", "forwardAuth", "console")
                for part in ("--set-string", f"{name}.podAnnotations.build={cluster.build}")
            )
            if cluster.build
            else ()
        ),
    )
    # Its pods and those of the chart start at the same time.
    if cluster.local:
        traefik.wait(cluster)


def images(cluster: Cluster) -> Mapping[str, str]:
    """The images and the pull policy in the values of the installed chart."""
    found: dict[str, str] = _values(cluster)["images"]
    return found


def local_issuer(cluster: Cluster) -> Mapping[str, str]:
    """The chart's own issuer of tokens: `issuer`, `audience`, `existingSecret`."""
    found: dict[str, str] = _values(cluster)["tokens"]["local"]
    return found


def _values(cluster: Cluster) -> Mapping[str, Any]:
    text = cluster.install(
        "get", "values", RELEASE, "--namespace", NAMESPACE, "--all", "--output", "json"
    )
    found: dict[str, Any] = json.loads(text)
    return found
