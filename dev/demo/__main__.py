"""`python -m dev.demo [up]`: the whole demo, or (`up`) only the cluster with the chart."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dev import binaries
from dev.cluster.layout import HERE as LAYOUT
from dev.cluster.target import current
from dev.demo import admission, building, callers, chat, follow, ledger, namespaces, source
from dev.demo.installation import NAMESPACE as SYSTEM
from dev.demo.installation import RELEASE, install
from dev.demo.kubectl import Cluster
from dev.errors import DevError
from dev.images import ensure
from dev.terminal import echo, minutes

MANIFESTS = Path(__file__).parent / "manifests"
NAMESPACE = "demo"
SERVE = "gemma"
READY_SECONDS = 600.0
MEASURED_SECONDS = 30.0

NEXT = """
Next steps:
  export KUBECONFIG={kubeconfig} PATH={bin}:$PATH
  kubectl get models,modelserves -A
  kubectl -n demo describe modelserve gemma
  TOKEN=$(.venv/bin/roadstead token issue --subject alice --group demo-users --ttl 10m)
  {ask}
{console}Stop:
  {stop}
"""
CONSOLE = """Open the console, {url}/ in a browser{trust}, and paste a token:
  .venv/bin/roadstead token issue --subject alice --group demo-users --ttl 1h
"""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; errors are printed without a traceback."""
    started = time.monotonic()
    try:
        cluster = target_cluster()
        if list(arguments) == ["up"]:
            install(cluster, with_source=False)
            echo(f"up, after {minutes(time.monotonic() - started)}")
        else:
            url = demo(cluster)
            echo(f"the demo took {minutes(time.monotonic() - started)}")
            echo(_next_steps(cluster, url))
    except DevError as error:
        echo(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        echo("interrupted: finished builds are kept; run the same command again to continue")
        return 130
    return 0


def demo(cluster: Cluster) -> str:
    """Install, start the model source, serve its model, send requests; returns the URL."""
    install(cluster, with_source=True)
    source.start(cluster)
    if cluster.get("namespace", NAMESPACE) is None:
        namespaces.ensure(cluster, NAMESPACE)
    apply_contract(cluster)
    apply_serve(cluster)
    serve = follow.until_ready(cluster, NAMESPACE, SERVE, seconds=READY_SECONDS)
    url: str = serve["status"]["url"]
    echo(f"sending a request to {SERVE}: {chat.QUESTION}")
    if _is_routed(url):
        callers.call(cluster, url)
    else:
        print(chat.ask(cluster, NAMESPACE, SERVE))
    echo("")
    follow.until_measured(cluster, NAMESPACE, SERVE, seconds=MEASURED_SECONDS)
    echo(cluster.run("get", "models,modelserves", "-A").rstrip())
    echo("")
    ledger.show(cluster, NAMESPACE, SERVE)
    return url


def apply_contract(cluster: Cluster) -> None:
    """Apply the contract for the namespace, as an administrator."""
    echo(f"kubectl apply: ResourceContract demo, for group {admission.USERS}")
    admin = admission.token(cluster, "admin", admission.ADMINS)
    contract = (MANIFESTS / "contract.yaml").read_text()
    cluster.apply(admission.with_token(contract, admin))


def apply_serve(cluster: Cluster) -> None:
    """Apply the ModelServe: without a token and over the contract (denied), then as allowed."""
    plain = (MANIFESTS / "modelserve.yaml").read_text()
    echo(f"kubectl apply: ModelServe {SERVE} without a token. Denied:")
    echo(f"  {admission.denial_message(cluster, plain)}")
    alice = admission.token(cluster, "alice", admission.USERS)
    greedy = plain.replace("spec:\n", "spec:\n  replicas: 5\n", 1)
    echo("kubectl apply: five replicas of it, with alice's token. Denied:")
    echo(f"  {admission.denial_message(cluster, admission.with_token(greedy, alice))}")
    echo(f"kubectl apply: ModelServe {SERVE} in namespace {NAMESPACE}, with alice's token")
    cluster.apply(admission.with_token(plain, alice))


def target_cluster() -> Cluster:
    """The local cluster with its images, or the cluster that DEMO_CLUSTER names."""
    theirs = current(os.environ)
    if theirs is not None:
        echo(f"using the cluster of {theirs}; provide its images and rights yourself")
        return _cluster(theirs, local=False)
    kubeconfig = building.build()
    return _cluster(kubeconfig, local=True, build=ensure("roadstead")["roadstead"].stem)


def _cluster(kubeconfig: Path, *, local: bool, build: str = "") -> Cluster:
    found = binaries.ensure("kubectl", "helm")
    return Cluster(
        kubeconfig=kubeconfig,
        kubectl=found["kubectl"],
        helm=found["helm"],
        local=local,
        build=build,
    )


def _is_routed(url: str) -> bool:
    """Whether the server is reached through a gateway; another cluster may not have one."""
    return url.startswith("https://")


def _next_steps(cluster: Cluster, url: str) -> str:
    stop = "make down" if cluster.local else "helm -n roadstead-system uninstall roadstead"
    folder = Path.cwd() / ".dev" / "bin"
    ask = (
        f"kubectl -n {NAMESPACE} port-forward service/{SERVE} 8080:80   # http://127.0.0.1:8080/v1"
    )
    if _is_routed(url):
        ask = f'{callers.curl(cluster)} {url}/v1/models -H "Authorization: Bearer $TOKEN"'
    return NEXT.format(
        kubeconfig=cluster.kubeconfig,
        bin=folder,
        ask=ask,
        stop=stop,
        console=_console(cluster, url),
    )


def _console(cluster: Cluster, url: str) -> str:
    """How to open the console; empty if it is not installed."""
    if cluster.get("-n", SYSTEM, "deployment", f"{RELEASE}-console") is None:
        return ""
    authority = LAYOUT.gateway_ca.relative_to(LAYOUT.checkout)
    trust = f" that trusts {authority}" if cluster.local else ""
    return CONSOLE.format(url=url.rpartition("/")[0], trust=trust)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
