"""`python -m dev.demo [up]`: the whole demo, or (`up`) only the cluster with the chart."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dev import binaries
from dev.demo import chat, follow, source
from dev.demo.installation import install
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.terminal import minutes, say

MANIFESTS = Path(__file__).parent / "manifests"
NAMESPACE = "demo"
SERVE = "gemma"
READY_SECONDS = 600.0

NEXT = """
Look further:
  export KUBECONFIG={kubeconfig} PATH={bin}:$PATH
  kubectl get models,modelserves -A
  kubectl -n demo describe modelserve gemma
  kubectl -n demo port-forward service/gemma 8080:80   # then http://127.0.0.1:8080/v1
Stop:
  {stop}
"""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; what went wrong is said without a traceback."""
    started = time.monotonic()
    try:
        cluster = the_cluster()
        if list(arguments) == ["up"]:
            install(cluster, with_source=False)
            say(f"up, after {minutes(time.monotonic() - started)}")
        else:
            demo(cluster)
            say(f"the demo took {minutes(time.monotonic() - started)}")
            say(_next(cluster))
    except DevError as error:
        say(f"error: {error}")
        return 1
    return 0


def demo(cluster: Cluster) -> None:
    """Install, start a source side, serve its model, ask it."""
    install(cluster, with_source=True)
    source.start(cluster)
    say(f"kubectl apply: ModelServe {SERVE} in namespace {NAMESPACE}")
    if cluster.get("namespace", NAMESPACE) is None:
        cluster.run("create", "namespace", NAMESPACE)
    cluster.apply((MANIFESTS / "modelserve.yaml").read_text())
    follow.until_ready(cluster, NAMESPACE, SERVE, seconds=READY_SECONDS)
    say(f"asking {SERVE}: {chat.QUESTION}")
    print(chat.ask(cluster, NAMESPACE, SERVE))
    say("")
    say(cluster.run("get", "models,modelserves", "-A").rstrip())


def the_cluster() -> Cluster:
    """The local cluster, brought up with its images, or the one that DEMO_CLUSTER asks for."""
    if os.environ.get("DEMO_CLUSTER") == "current":
        return _current()
    from dev.cluster import up
    from dev.cluster.images import load
    from dev.images import ensure

    kubeconfig = up()
    for archive in ensure("roadstead", "minio", "llama-server").values():
        load(archive)
    return Cluster(kubeconfig=kubeconfig, local=True, **_programs())


def _current() -> Cluster:
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        raise DevError("DEMO_CLUSTER=current needs KUBECONFIG to name a cluster's kubeconfig")
    say(f"using the cluster that {path} names; its images and rights are yours to see to")
    return Cluster(kubeconfig=Path(path), local=False, **_programs())


def _programs() -> dict[str, Path]:
    found = binaries.ensure("kubectl", "helm")
    return {"kubectl": found["kubectl"], "helm": found["helm"]}


def _next(cluster: Cluster) -> str:
    stop = "make down" if cluster.local else "helm -n roadstead-system uninstall roadstead"
    folder = Path.cwd() / ".dev" / "bin"
    return NEXT.format(kubeconfig=cluster.kubeconfig, bin=folder, stop=stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
