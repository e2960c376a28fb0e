"""Where the operator reads the usage of a server: its node's kubelet, and llama.cpp itself."""

from collections.abc import Mapping

from dev.demo import chat
from dev.demo.kubectl import Cluster
from roadstead.usage.server_metrics import NAMES
from tests.e2e.serves import Serves, make_serve
from tests.e2e.test_usage import key_of, operators_metrics, read, status
from tests.support.waiting import wait_until


def test_usage_is_read_from_the_kubelet(cluster: Cluster, serves: Serves) -> None:
    # Half a minute: a model is loaded, and the kubelet measures a new pod after ten seconds.
    serves.apply(make_serve())
    serves.until_ready()
    wait_until(lambda: "memoryCurrentBytes" in status(serves), seconds=240)
    asked = {("kubelet", "done"), ("llama", "done")}
    wait_until(lambda: asked <= scrapes(cluster).keys(), seconds=240, step=2)
    found = scrapes(cluster)
    # A kubelet that refuses always fails; an answer may be late once.
    assert found.get(("kubelet", "failed"), 0) < found["kubelet", "done"]


def test_llama_cpp_has_every_metric_that_the_operator_reads(
    cluster: Cluster, serves: Serves
) -> None:
    serves.apply(make_serve())
    serves.until_ready()
    # Some exist only after a request.
    assert chat.ask(cluster, serves.namespace, "gemma", key=key_of(serves))
    with cluster.forwarded(serves.namespace, "service/gemma", 80) as port:
        address, key = f"http://127.0.0.1:{port}/metrics", key_of(serves)
        wait_until(lambda: NAMES.keys() <= names(read(address, key=key)))


def names(page: str) -> set[str]:
    """By line: prometheus_client renames a counter whose name does not end in _total."""
    return {line.partition(" ")[0] for line in page.splitlines()}


def scrapes(cluster: Cluster) -> Mapping[tuple[str, str], float]:
    """Number of the operator's usage queries, by source and result."""
    return {
        (labels["source"], labels["result"]): value
        for name, labels, value in operators_metrics(cluster)
        if name == "roadstead_usage_scrapes_total"
    }
