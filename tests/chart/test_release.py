"""The chart installed on a real API server, which has no controllers: nothing starts here."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.servers import monitoring
from dev.servers.apiserver import running
from roadstead.manifests.transfer_job import TransferPlace, transfer_job
from tests.support.charts import (
    CHART,
    CHECKOUT,
    EMBEDDED_GATEWAY,
    EMBEDDED_QUANT,
    EVERYTHING,
    EXISTING_POSTGRES,
    EXISTING_STORE,
    GATEWAY_API,
    JOBS,
    NO_GATEWAY,
    TRAEFIK,
    TRUST,
    Chart,
    Object,
    Values,
    with_image,
)

NAMESPACE = "roadstead-system"
CRDS = [f"{path.stem.split('_')[1]}.model.example.com" for path in (CHECKOUT / "crds").iterdir()]
LABEL = "pod-security.kubernetes.io/enforce=restricted"
STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "example.com/none",
}
"""The cluster's default class, which the chart requires for its volumes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """Helm and kubectl for one API server."""

    helm: Path
    kubectl: Path
    env: dict[str, str]

    def install(self, values: Values | None = None) -> None:
        """Install or upgrade, by default without a gateway, which has ten more definitions."""
        # Otherwise Helm would reuse the values of the previous test.
        arguments = ["upgrade", "--install", "--reset-values", "roadstead", str(CHART)]
        # Without hooks: no controller runs the Job that Helm waits for.
        arguments += ["-n", NAMESPACE, "--no-hooks"]
        given = NO_GATEWAY if values is None else values
        self.run(self.helm, *arguments, "-f", "-", stdin=json.dumps(with_image(given)))

    def notes(self, values: Values | None = None) -> str:
        """Return the notes that Helm prints after an installation."""
        arguments = ["install", "roadstead", str(CHART), "-n", NAMESPACE, "--dry-run=client"]
        output = self.run(
            self.helm, *arguments, "-o", "json", "-f", "-", stdin=json.dumps(with_image(values))
        )
        return str(json.loads(output)["info"]["notes"])

    def apply(self, manifest: Object) -> None:
        """Apply an object."""
        self.run(self.kubectl, "apply", "-f", "-", stdin=json.dumps(manifest))

    def uninstall(self) -> None:
        """Remove the release."""
        self.run(self.helm, "uninstall", "roadstead", "-n", NAMESPACE, "--no-hooks")

    def get(self, kind: str, name: str) -> Any:
        """Get an object of the release's namespace, or a cluster-scoped object."""
        arguments = ["get", kind, name, "-n", NAMESPACE, "-o", "json"]
        return json.loads(self.run(self.kubectl, *arguments))

    def run(self, program: Path, *arguments: str, stdin: str = "") -> str:
        """Run a program and return its output. Raises AssertionError with stderr if it fails."""
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def cluster(
    binaries: dict[str, Path], chart: Chart, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("release")
    with running(binaries, folder) as server:
        # A separate home, since both cache API discovery there.
        env = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(server.kubeconfig)}
        cluster = Cluster(helm=chart.helm, kubectl=binaries["kubectl"], env=env)
        cluster.run(binaries["kubectl"], "create", "namespace", NAMESPACE)
        cluster.run(binaries["kubectl"], "label", "namespace", NAMESPACE, LABEL)
        cluster.apply(STORAGE_CLASS)
        definitions = [part for path in monitoring.crd_files() for part in ("-f", str(path))]
        cluster.run(binaries["kubectl"], "apply", "--server-side", *definitions)
        waiting = ("wait", "--timeout=120s", "--for=condition=Established")
        cluster.run(binaries["kubectl"], *waiting, *definitions)
        yield cluster


def test_first_install_without_a_default_class_is_refused_with_what_to_add(
    cluster: Cluster,
) -> None:
    cluster.run(cluster.kubectl, "delete", "storageclass", "standard")
    cluster.apply({**STORAGE_CLASS, "metadata": {"name": "slow"}})
    arguments = ["install", "other", str(CHART), "-n", "default", "--dry-run=server", "-f", "-"]
    try:
        with pytest.raises(
            AssertionError, match=r"add --set store.embedded.persistence.storageClassName=slow"
        ):
            cluster.run(cluster.helm, *arguments, stdin=json.dumps(with_image({})))
    finally:
        cluster.run(cluster.kubectl, "delete", "storageclass", "slow")
        cluster.apply(STORAGE_CLASS)


def test_notes_warn_of_metrics_that_cannot_be_scraped(cluster: Cluster) -> None:
    assert "To scrape metrics and install alerts" in cluster.notes()
    notes = cluster.notes({"monitoring": {"podMonitor": {"enabled": True}}})
    assert "networkPolicy.metricsFrom is empty, so metrics can't be scraped" in notes


GIVEN = {"certificate": {"mode": "given", "existingSecret": "tls"}}
PUBLIC = {"gateway": {"url": "https://models.example.com", "embedded": GIVEN}}


@pytest.mark.parametrize(
    ("values", "words", "missing"),
    [
        pytest.param(
            {},
            [
                "exec deployment/roadstead-webhooks -- \\\n     roadstead token issue",
                "port-forward service/roadstead-gateway 8443:443",
                "get configmap roadstead-gateway-ca",
                "curl --cacert roadstead-ca.crt",
                "https://localhost:8443/ in a browser",
                "helm -n roadstead-system test roadstead",
            ],
            "port-forward service/my-server",
            id="defaults",
        ),
        pytest.param(
            PUBLIC,
            ["https://models.example.com, which has to lead to", "get service roadstead-gateway"],
            "--cacert",
            id="public",
        ),
        pytest.param(
            NO_GATEWAY,
            ["port-forward service/my-server 8080:80", "http://localhost:8080/v1/chat/completions"],
            "Open the console",
            id="none",
        ),
        pytest.param(
            TRAEFIK, ["which Traefik's pods in gateway have to serve"], "port-forward", id="own"
        ),
        pytest.param(
            {**EMBEDDED_QUANT, **NO_GATEWAY},
            ["an id of http://roadstead-quant.roadstead-system.svc:8090"],
            "with the same key",
            id="quant",
        ),
    ],
)
def test_notes_have_the_commands_to_the_first_answer(
    cluster: Cluster, values: Values, words: list[str], missing: str
) -> None:
    notes = cluster.notes(values)
    assert [each for each in words if each not in notes] == []
    assert missing not in notes


def test_notes_warn_of_webhooks_that_every_pod_can_reach(cluster: Cluster) -> None:
    assert "networkPolicy.webhooksFrom" in cluster.notes()
    named = {"networkPolicy": {"webhooksFrom": [{"ipBlock": {"cidr": "10.1.0.0/28"}}]}}
    assert "networkPolicy.webhooksFrom" not in cluster.notes(named)


def test_upgrade_keeps_the_secret_path(cluster: Cluster) -> None:
    cluster.install()
    kind, path = "mutatingwebhookconfiguration", "/mutate/secret"
    where = "/webhooks/0/clientConfig/service/path"
    operation = json.dumps([{"op": "add", "path": where, "value": path}])
    cluster.run(cluster.kubectl, "patch", kind, "roadstead", "--type=json", "-p", operation)
    cluster.install({"webhooks": {"replicas": 3}})
    (hook,) = cluster.get(kind, "roadstead")["webhooks"]
    assert hook["clientConfig"]["service"]["path"] == path


def test_notes_explain_how_to_serve_a_model(cluster: Cluster) -> None:
    notes = cluster.notes({"quant": {"endpoint": "http://quant:8090"}})
    assert "rollout status deployment/roadstead-operator" in notes
    assert "# an id of http://quant:8090" in notes
    assert "source.allow is empty" in notes


def test_notes_explain_where_the_records_are(cluster: Cluster) -> None:
    assert "servers are not recorded" in cluster.notes({"ledger": {"enabled": False}})
    notes = cluster.notes({"postgres": {"persistence": {"enabled": False}}})
    assert "exec roadstead-postgres-0 -- psql -U roadstead_reader roadstead" in notes
    assert "the records are lost when Postgres's pod is deleted" in notes


def test_notes_explain_how_to_call_a_server_through_the_gateway(cluster: Cluster) -> None:
    notes = cluster.notes({**TRAEFIK, "webhooks": {"enabled": False}})
    assert "rollout status deployment/roadstead-forward-auth" in notes
    assert "4. Ask it through https://models.example.com" in notes
    assert "every valid token is accepted by every server" in notes
    assert "exec deployment/roadstead-forward-auth -- " in notes


@pytest.mark.parametrize("values", [{}, {"quant": {"endpoint": "http://quant:8090"}}])
def test_example_in_the_notes_is_accepted(cluster: Cluster, values: Values) -> None:
    # No webhooks run here, so only the schema is checked.
    cluster.install({"webhooks": {"enabled": False}})
    notes = cluster.notes(values)
    example = textwrap.dedent(notes.partition("apply -f -`:\n")[2].partition("\n3. ")[0])
    accepted = cluster.run(
        cluster.kubectl, "apply", "--dry-run=server", "-f", "-", stdin=example
    ).splitlines()
    assert [line.split("/")[0].split(".")[0] for line in accepted] == [
        "resourcecontract",
        "model",
        "modelserve",
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="defaults"),
        pytest.param(EVERYTHING, id="everything"),
        pytest.param({**JOBS, **TRUST}, id="trust"),
        pytest.param(EXISTING_STORE, id="existing-store"),
        pytest.param(EXISTING_POSTGRES, id="existing-postgres"),
        pytest.param(GATEWAY_API, id="gateway-api"),
        pytest.param(JOBS, id="jobs"),
        pytest.param({**EMBEDDED_QUANT, **NO_GATEWAY}, id="embedded-quant"),
    ],
)
def test_every_field_is_known_to_kubernetes(cluster: Cluster, chart: Chart, values: Values) -> None:
    # With other names than the installed objects: some fields of a StatefulSet are immutable.
    objects = chart.render({**values, "fullnameOverride": "trial"}).objects
    everything = {"apiVersion": "v1", "kind": "List", "items": objects}
    arguments = ["apply", "--server-side", "--force-conflicts", "--dry-run=server"]
    answer = cluster.run(
        cluster.kubectl, *arguments, "--validate=strict", "-f", "-", stdin=json.dumps(everything)
    )
    assert len(answer.splitlines()) == len(objects)


def test_upgrade_keeps_the_generated_keys(cluster: Cluster) -> None:
    # Takes twenty seconds: Helm requests each of the chart's objects in turn.
    keys = ("store", "quant", "jwt", "gateway")
    dsns = ("ledger-owner", "ledger-writer", "ledger-reader")
    generated = [f"roadstead-{each}" for each in keys + dsns]
    cluster.install(TRAEFIK)
    before = [cluster.get("secret", name)["data"] for name in generated]
    cluster.install({**TRAEFIK, "transfer": {"concurrency": 5}})
    assert [cluster.get("secret", name)["data"] for name in generated] == before


def test_upgrade_creates_a_deleted_dsn_secret_again(cluster: Cluster) -> None:
    # Takes twenty seconds: the chart is installed twice.
    cluster.install()
    names = ("roadstead-ledger-owner", "roadstead-ledger-reader")
    owner, reader = (cluster.get("secret", name)["data"] for name in names)
    cluster.run(cluster.kubectl, "delete", "secret", names[1], "-n", NAMESPACE)
    cluster.install()
    assert cluster.get("secret", names[0])["data"] == owner
    assert cluster.get("secret", names[1])["data"] != reader


def test_gateway_key_outlives_the_gateway(cluster: Cluster) -> None:
    # Takes half a minute: the chart is installed three times.
    cluster.install(TRAEFIK)
    before = cluster.get("secret", "roadstead-gateway")["data"]
    cluster.install()
    cluster.install(TRAEFIK)
    assert cluster.get("secret", "roadstead-gateway")["data"] == before


def test_embedded_gateway_keeps_its_authority_and_leaves_definitions_of_others(
    cluster: Cluster,
) -> None:
    # Takes twenty seconds: the chart is installed twice, with ten more definitions.
    theirs = CHART / "files/traefik/crds.yaml"
    first = theirs.read_text().partition("\n---\n")[0]
    # Other tests install it with the release.
    cluster.run(cluster.kubectl, "delete", "crd", "ingressroutes.traefik.io", "--ignore-not-found")
    cluster.run(cluster.kubectl, "apply", "--server-side", "-f", "-", stdin=first)
    cluster.install(EMBEDDED_GATEWAY)
    assert "release-name" not in str(cluster.get("crd", "ingressroutes.traefik.io")["metadata"])
    assert "release-name" in str(cluster.get("crd", "middlewares.traefik.io")["metadata"])
    before = [cluster.get("secret", f"roadstead-gateway-{each}")["data"] for each in ("ca", "tls")]
    cluster.install({"gateway": {"url": "https://other.example.com"}})
    authority, certificate = (
        cluster.get("secret", f"roadstead-gateway-{each}")["data"] for each in ("ca", "tls")
    )
    assert authority == before[0]
    assert certificate != before[1]
    assert "release-name" in str(cluster.get("crd", "middlewares.traefik.io")["metadata"])


def test_upgrade_updates_a_changed_definition(cluster: Cluster) -> None:
    cluster.install()
    kept = cluster.get("crd", "models.model.example.com")["spec"]
    change = '[{"op": "replace", "path": "/spec/names/shortNames", "value": ["older"]}]'
    older = ["patch", "crd", "models.model.example.com", "--type=json", "-p", change]
    cluster.run(cluster.kubectl, *older)
    cluster.install()
    assert cluster.get("crd", "models.model.example.com")["spec"] == kept


def test_definitions_and_objects_outlive_the_release(cluster: Cluster) -> None:
    cluster.install({"webhooks": {"enabled": False}})
    model = {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "kept"},
        "spec": {"source": {"stored": {}}, "minioPath": "models/kept.gguf"},
    }
    cluster.apply(model)
    cluster.uninstall()
    assert {cluster.get("crd", name)["metadata"]["name"] for name in CRDS} == set(CRDS)
    assert cluster.get("model", "kept")["spec"]["source"] == {"stored": {}}
    cluster.install()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "roadstead-operator"),
        ("Deployment", "roadstead-webhooks"),
        ("Deployment", "roadstead-forward-auth"),
        ("Deployment", "roadstead-console"),
        ("Deployment", "roadstead-gateway"),
        ("Deployment", "roadstead-quant"),
        ("StatefulSet", "roadstead-store"),
        ("StatefulSet", "roadstead-postgres"),
        ("Job", "roadstead-ledger-migrate"),
    ],
)
def test_pods_are_admitted_with_the_restricted_standard_enforced(
    cluster: Cluster, chart: Chart, kind: str, name: str
) -> None:
    scratch = {"persistence": {"enabled": False}}
    embedded = {**EMBEDDED_GATEWAY, **EMBEDDED_QUANT}
    rendered = chart.render({**embedded, "store": {"embedded": scratch}, "postgres": scratch})
    template = rendered.one(kind, name)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "trial", "namespace": NAMESPACE}
    answer = cluster.run(
        cluster.kubectl, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod)
    )
    assert "pod/trial created" in answer


def test_transfer_job_and_its_pod_are_admitted_with_the_restricted_standard_enforced(
    cluster: Cluster, chart: Chart
) -> None:
    place = TransferPlace(model_name="gemma", model_uid="uid", namespace=NAMESPACE)
    template = chart.render({"transfer": {"runner": "job"}}).transfer_job()
    job = transfer_job(template, place, inputs="abc", attempt=1)
    pod = {"apiVersion": "v1", "kind": "Pod", **job["spec"]["template"]}
    pod["metadata"] = {**pod["metadata"], "name": "trial", "namespace": NAMESPACE}
    for each, name in ((job, "job.batch/transfer-uid"), (pod, "pod/trial")):
        arguments = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
        answer = cluster.run(cluster.kubectl, *arguments, stdin=json.dumps(each))
        assert f"{name} created" in answer


OPERATOR_MAY = {
    ("update", "modelserves.model.example.com/status"): True,
    ("create", "deployments.apps"): True,
    ("list", "secrets"): False,
    ("delete", "models.model.example.com"): False,
    ("create", "pods/exec"): False,
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"): False,
}


def test_operator_may_do_what_it_needs_and_no_more(cluster: Cluster) -> None:
    cluster.install()
    assert {each: operator_may(cluster, *each) for each in OPERATOR_MAY} == OPERATOR_MAY


def operator_may(cluster: Cluster, verb: str, resource: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:roadstead-operator",
            "resourceAttributes": _attributes(verb, resource),
        },
    }
    arguments = ["create", "-f", "-", "-o", "jsonpath={.status.allowed}"]
    return cluster.run(cluster.kubectl, *arguments, stdin=json.dumps(review)) == "true"


def _attributes(verb: str, text: str) -> dict[str, str]:
    """Parse `deployments.apps` or `modelserves.model.example.com/status` to attributes."""
    whole, _, subresource = text.partition("/")
    resource, _, api_group = whole.partition(".")
    found = {"verb": verb, "resource": resource, "group": api_group, "namespace": "default"}
    return {**found, "subresource": subresource} if subresource else found
