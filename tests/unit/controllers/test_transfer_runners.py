"""The settings choose the runner of transfers."""

from pathlib import Path

import pytest
from kubernetes.aio.client import ApiClient

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.controllers.transfers.transfer_jobs import JobRunner
from roadstead.controllers.transfers.transfer_process import ProcessRunner
from roadstead.controllers.transfers.transfer_runner import TransferRunner
from roadstead.errors import InvalidSettings
from roadstead.fence import FOREVER, Fence
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.watch_cache import WatchCache
from roadstead.process import wiring


def settings(**environ: str) -> OperatorSettings:
    return OperatorSettings.from_env(
        {
            "ROADSTEAD_STORE_ENDPOINT": "http://store:9000",
            "ROADSTEAD_STORE_ACCESS_KEY_FILE": "/keys/access",
            "ROADSTEAD_STORE_SECRET_KEY_FILE": "/keys/secret",
            "ROADSTEAD_OPERATOR_IMAGE": "roadstead:1",
            "ROADSTEAD_SERVER_IMAGE": "llama-server:1",
            **environ,
        }
    )


async def runner(**environ: str) -> TransferRunner:
    async with ApiClient() as api:
        client = KubeClient(api)
        return wiring.runner(settings(**environ), client, WatchCache(), Fence.shared(FOREVER))


async def as_jobs(template: Path) -> TransferRunner:
    return await runner(
        ROADSTEAD_TRANSFER_RUNNER="job", ROADSTEAD_TRANSFER_JOB_TEMPLATE=str(template)
    )


async def test_transfers_are_processes_by_default(tmp_path: Path) -> None:
    template = str(tmp_path / "not-there")
    assert isinstance(await runner(ROADSTEAD_TRANSFER_JOB_TEMPLATE=template), ProcessRunner)


async def test_transfers_can_be_jobs(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: Job")
    assert isinstance(await as_jobs(tmp_path / "job.yaml"), JobRunner)


def test_another_runner_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="ROADSTEAD_TRANSFER_RUNNER: invalid value 'pod'"):
        settings(ROADSTEAD_TRANSFER_RUNNER="pod")


@pytest.mark.parametrize("text", ["", "kind: Pod", "- kind: Job", "kind: [", "\x00"])
async def test_an_invalid_job_template_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(InvalidSettings, match="is not a Job template"):
        await as_jobs(tmp_path / "job.yaml")


async def test_a_missing_job_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="is not a Job template"):
        await as_jobs(tmp_path / "job.yaml")
