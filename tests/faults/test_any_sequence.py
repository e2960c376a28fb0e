"""Any sequence of requests and faults ends in the requested state.

Hypothesis generates sequences of steps; a failure prints them as a list.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes.aio import client

from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from dev.servers.toxiproxy import Toxiproxy
from tests.faults.sequences import CONTRACTS, MODELS, SERVERS, Step, running_course
from tests.support import custom_objects
from tests.support.apiserver import fresh_namespace
from tests.support.builders.objects import fresh_name
from tests.support.ledger import create_ledger
from tests.support.operator.namespace import Operated, delete_all, list_all
from tests.support.operator.site import Site

BEGINNING: Final = (Step("apply_contract", "small", 2), Step("apply_contract", "large", 3))
"""Without a contract no server would start, and few faults would have an effect."""
STEPS: Final = st.lists(
    st.one_of(
        st.builds(Step, st.just("serve"), st.sampled_from(SERVERS), st.integers(0, 3)),
        st.builds(Step, st.just("scale"), st.sampled_from(SERVERS), st.integers(0, 3)),
        st.builds(Step, st.just("context"), st.sampled_from(SERVERS), st.integers(1, 3)),
        st.builds(Step, st.just("delete"), st.sampled_from(SERVERS)),
        st.builds(Step, st.just("create_model"), st.sampled_from(MODELS)),
        st.builds(Step, st.just("delete_model"), st.sampled_from(MODELS)),
        st.builds(Step, st.just("apply_contract"), st.sampled_from(CONTRACTS), st.integers(0, 3)),
        st.builds(Step, st.just("delete_contract"), st.sampled_from(CONTRACTS)),
        st.builds(Step, st.sampled_from(("kill", "pause", "restore"))),
        st.builds(Step, st.just("cut"), st.sampled_from(("apiserver", "store", "ledger"))),
    ),
    min_size=8,
    max_size=14,
).map(lambda steps: [*BEGINNING, *steps])
GENERATED: Final = settings(
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
HEALS: Final = "the state is the one requested last, or a condition gives the reason"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """The servers that each sequence uses."""

    server: ApiServer
    site: Site
    database: Postgres
    proxies: Toxiproxy
    folder: Path

    async def run_sequence(self, steps: list[Step]) -> None:
        """Run a sequence in a new namespace, with an empty catalogue and an empty ledger."""
        print("", *steps, sep="\n  ")
        folder = self.folder / fresh_name("course")
        folder.mkdir()
        async with connect(self.server) as api:
            await delete_everything(api)
            namespace = await fresh_namespace(api, "fault")
            operated = Operated(
                site=self.site, api=api, namespace=namespace, kubeconfig=self.server.kubeconfig
            )
            ledger = await create_ledger(self.database, folder)
            async with running_course(
                operated, self.server, ledger, self.proxies, folder
            ) as course:
                await course.run(steps)
            await delete_everything(api)


@pytest.fixture
def places(
    apiserver: ApiServer,
    servers: Site,
    database: Postgres,
    proxies: Toxiproxy,
    tmp_path: Path,
) -> Places:
    """The servers of the session."""
    return Places(
        server=apiserver, site=servers, database=database, proxies=proxies, folder=tmp_path
    )


async def delete_everything(api: client.ApiClient) -> None:
    """Delete all objects of our kinds."""
    await delete_all(api)
    for body in await list_all(api, "resourcecontracts"):
        await custom_objects.delete(api, body)


@pytest.mark.timeout(600)
@pytest.mark.fault("R1", heals=HEALS)
async def test_sequence_with_every_step_ends_in_the_requested_state(places: Places) -> None:
    await places.run_sequence(
        [
            *BEGINNING,
            Step("serve", "a", 1),
            Step("serve", "b", 2),
            Step("kill"),
            Step("cut", "apiserver"),
            Step("scale", "a", 2),
            Step("context", "b", 2),
            Step("cut", "ledger"),
            Step("restore"),
            Step("pause"),
            Step("cut", "store"),
            Step("serve", "c", 3),
            Step("apply_contract", "small", 1),
            Step("kill"),
            Step("delete", "b"),
            Step("delete_contract", "large"),
        ]
    )


@pytest.mark.timeout(1200)
@pytest.mark.fault("R1", heals=HEALS)
@settings(GENERATED, max_examples=3)
@given(steps=STEPS)
async def test_any_sequence_of_requests_and_faults_ends_in_the_requested_state(
    places: Places, steps: list[Step]
) -> None:
    await places.run_sequence(steps)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.fault("R1", heals=HEALS)
@settings(GENERATED, max_examples=15)
@given(steps=STEPS)
async def test_many_sequences_of_requests_and_faults_end_in_the_requested_state(
    places: Places, steps: list[Step]
) -> None:
    await places.run_sequence(steps)
