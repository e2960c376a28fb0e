"""Transfers as Jobs: the template, the operator's rights, and the pods' network policy."""

from __future__ import annotations

import pytest

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.manifests.transfer_job import KEY, TransferPlace, transfer_job
from roadstead.transfer.transfer_settings import TransferSettings
from tests.chart.test_rights import policy, ports, verbs_of
from tests.support.charts import EXISTING_STORE, JOBS, NO_LEDGER, Chart, Object, Rendered

PLACE = TransferPlace(model_name="gemma", model_uid="model-uid", namespace="roadstead-system")


@pytest.fixture(scope="module")
def jobs(chart: Chart) -> Rendered:
    return chart.render(JOBS)


def pod_of(rendered: Rendered) -> Object:
    """Return the pod template of a transfer's Job."""
    job = transfer_job(rendered.transfer_job(), PLACE, inputs="abc", attempt=1)
    pod: Object = job["spec"]["template"]
    return pod


def env_of(rendered: Rendered) -> dict[str, str]:
    (container,) = pod_of(rendered)["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_without_transfer_jobs_none_of_their_objects_is_rendered(defaults: Rendered) -> None:
    for kind in ("ConfigMap", "Role", "RoleBinding", "ServiceAccount", "NetworkPolicy"):
        assert not [name for name in defaults.names(kind) if "transfer" in name]
    assert OperatorSettings.from_env(defaults.operator_env()).transfer_job is None


def test_the_operator_reads_the_template_where_it_is_mounted(jobs: Rendered) -> None:
    path = OperatorSettings.from_env(jobs.operator_env()).transfer_job
    pod = jobs.one("Deployment", "roadstead-operator")["spec"]["template"]["spec"]
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "transfer-job")
    (volume,) = (v for v in pod["volumes"] if v["name"] == "transfer-job")
    assert str(path) == f"{mount['mountPath']}/job.yaml"
    assert volume["configMap"]["name"] in jobs.names("ConfigMap")


def test_changed_job_template_restarts_the_operators(chart: Chart, jobs: Rendered) -> None:
    def checksum(rendered: Rendered) -> str:
        template = rendered.one("Deployment", "roadstead-operator")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/transfer-job"])

    other = chart.render({**JOBS, "transfer": {"runner": "job", "connections": 5}})
    assert checksum(other) != checksum(jobs)


def test_values_are_in_the_transfer_pods(jobs: Rendered) -> None:
    given, pod = JOBS["transfer"]["job"], pod_of(jobs)["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == given["resources"]["limits"]
    assert pod["nodeSelector"] == given["nodeSelector"]
    assert pod["priorityClassName"] == given["priorityClassName"]
    assert pod["tolerations"][-1:] == given["tolerations"]


def test_pod_on_a_lost_node_is_replaced_after_half_a_minute(jobs: Rendered) -> None:
    gone = [each for each in pod_of(jobs)["spec"]["tolerations"] if "tolerationSeconds" in each]
    assert {each["tolerationSeconds"] for each in gone} == {30}
    assert {each["key"].rpartition("/")[2] for each in gone} == {"unreachable", "not-ready"}


def test_failed_transfer_pod_is_replaced_and_not_restarted(jobs: Rendered) -> None:
    spec = jobs.transfer_job()["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["backoffLimit"] > 0
    assert "podFailurePolicy" not in spec


def test_transfer_reads_its_settings_and_input_from_the_mounts(
    jobs: Rendered,
) -> None:
    pod, env = pod_of(jobs)["spec"], env_of(jobs)
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert mounts.keys() == {each["name"] for each in pod["volumes"]}
    assert env["ROADSTEAD_TRANSFER_JOB_FILE"] == f"{mounts[KEY]}/{KEY}"
    assert env["ROADSTEAD_STORE_ACCESS_KEY_FILE"] == f"{mounts['store']}/accessKey"
    assert env["ROADSTEAD_QUANT_KEY_FILE"] == f"{mounts['quant']}/key"


def test_transfer_pod_has_the_same_settings_as_the_operator(jobs: Rendered) -> None:
    theirs = TransferSettings.from_env(env_of(jobs))
    assert theirs == OperatorSettings.from_env(jobs.operator_env()).transfer


def test_transfer_pods_have_no_token(jobs: Rendered) -> None:
    assert pod_of(jobs)["spec"]["automountServiceAccountToken"] is False
    assert "roadstead-transfer" not in [
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in jobs.of(kind)
        for subject in binding["subjects"]
    ]


def test_operator_may_create_list_and_delete_jobs_in_its_namespace(jobs: Rendered) -> None:
    role = jobs.one("Role", "roadstead-transfer")
    assert role["metadata"]["namespace"] == "roadstead-system"
    assert verbs_of(role) == {
        ("batch", "jobs"): {"get", "list", "create", "delete"},
        ("batch", "jobs/finalizers"): {"update"},
        ("", "pods/log"): {"get"},
    }
    (subject,) = jobs.one("RoleBinding", "roadstead-transfer")["subjects"]
    assert subject["name"] == "roadstead-operator"


def test_operator_may_not_write_jobs_in_other_namespaces(jobs: Rendered) -> None:
    for role in jobs.of("ClusterRole"):
        resources = {resource for _, resource in verbs_of(role)}
        assert not resources & {"jobs", "jobs/finalizers", "pods/log"}


def test_transfer_pods_reach_only_dns_the_store_and_the_sources(jobs: Rendered) -> None:
    spec = policy(jobs, "roadstead-transfer")
    labels = pod_of(jobs)["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["ingress"] == []
    assert [ports(rule) for rule in spec["egress"]] == [{53, 5353}, {9000}, {443, 8090}]


def test_operator_does_not_reach_sources_with_transfer_jobs(jobs: Rendered) -> None:
    assert ports(policy(jobs, "roadstead-operator")["egress"][-1]) == {8090}


def test_embedded_store_accepts_transfer_pods(jobs: Rendered, defaults: Rendered) -> None:
    def callers(rendered: Rendered) -> list[Object]:
        (rule,) = policy(rendered, "roadstead-store")["ingress"]
        return [each["podSelector"] for each in rule["from"]]

    theirs = policy(jobs, "roadstead-transfer")["podSelector"]
    assert theirs in callers(jobs)
    assert theirs not in callers(defaults)


def test_transfer_pods_reach_an_existing_store_at_its_port(chart: Chart) -> None:
    peer = {"ipBlock": {"cidr": "10.9.0.0/16"}}
    given = {**EXISTING_STORE, **NO_LEDGER, **JOBS, "networkPolicy": {"storePeers": [peer]}}
    _, store, _ = policy(chart.render(given), "roadstead-transfer")["egress"]
    assert (ports(store), store["to"]) == ({9443}, [peer])
