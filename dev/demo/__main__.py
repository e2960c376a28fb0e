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
from dev.terminal import minutes, say

MANIFESTS = Path(__file__).parent / "manifests"
NAMESPACE = "demo"
SERVE = "gemma"
READY_SECONDS = 600.0
MEASURED_SECONDS = 30.0

NEXT = """
Look further:
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
    """Run the demo; a failure is printed without a traceback."""
    started = time.monotonic()
    try:
        cluster = the_cluster()
        if list(arguments) == ["up"]:
            install(cluster, with_source=False)
            say(f"up, after {minutes(time.monotonic() - started)}")
        else:
            url = demo(cluster)
            say(f"the demo took {minutes(time.monotonic() - started)}")
            say(_next(cluster, url))
    except DevError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: what was built is kept, and the same command continues from there")
        return 130
    return 0


def demo(cluster: Cluster) -> str:
    """Install, start a source side, serve its model, ask it; the server's URL."""
    install(cluster, with_source=True)
    source.start(cluster)
    if cluster.get("namespace", NAMESPACE) is None:
        namespaces.ensure(cluster, NAMESPACE)
    agree(cluster)
    apply(cluster)
    serve = follow.until_ready(cluster, NAMESPACE, SERVE, seconds=READY_SECONDS)
    url: str = serve["status"]["url"]
    say(f"asking {SERVE}: {chat.QUESTION}")
    if _is_routed(url):
        callers.call(cluster, url)
    else:
        print(chat.ask(cluster, NAMESPACE, SERVE))
    say("")
    follow.until_measured(cluster, NAMESPACE, SERVE, seconds=MEASURED_SECONDS)
    say(cluster.run("get", "models,modelserves", "-A").rstrip())
    say("")
    ledger.show(cluster, NAMESPACE, SERVE)
    return url


def agree(cluster: Cluster) -> None:
    """Apply the contract that covers the namespace, as one of the administrators."""
    say(f"kubectl apply: ResourceContract demo, for group {admission.USERS}")
    admin = admission.token(cluster, "admin", admission.ADMINS)
    contract = (MANIFESTS / "contract.yaml").read_text()
    cluster.apply(admission.with_token(contract, admin))


def apply(cluster: Cluster) -> None:
    """Apply the ModelServe: in vain without a token and over the contract, then as agreed."""
    plain = (MANIFESTS / "modelserve.yaml").read_text()
    say(f"kubectl apply: ModelServe {SERVE} without a token. Denied:")
    say(f"  {admission.refused(cluster, plain)}")
    alice = admission.token(cluster, "alice", admission.USERS)
    greedy = plain.replace("spec:\n", "spec:\n  replicas: 5\n", 1)
    say("kubectl apply: five replicas of it, with alice's token. Denied:")
    say(f"  {admission.refused(cluster, admission.with_token(greedy, alice))}")
    say(f"kubectl apply: ModelServe {SERVE} in namespace {NAMESPACE}, with alice's token")
    cluster.apply(admission.with_token(plain, alice))


def the_cluster() -> Cluster:
    """The local cluster with its images, or the one that DEMO_CLUSTER asks for."""
    theirs = current(os.environ)
    if theirs is not None:
        say(f"using the cluster that {theirs} names; its images and rights are yours to see to")
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
    """Whether a gateway leads to it: there is none in a cluster that was given no values for it."""
    return url.startswith("https://")


def _next(cluster: Cluster, url: str) -> str:
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
    """How to open the console, where there is one."""
    if cluster.get("-n", SYSTEM, "deployment", f"{RELEASE}-console") is None:
        return ""
    authority = LAYOUT.gateway_ca.relative_to(LAYOUT.checkout)
    trust = f" that trusts {authority}" if cluster.local else ""
    return CONSOLE.format(url=url.rpartition("/")[0], trust=trust)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
