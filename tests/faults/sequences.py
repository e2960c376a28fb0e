"""Executes sequences of requests and faults, and compares the result with a model."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import client

from dev.servers.apiserver import ApiServer, kubeconfig_content
from dev.servers.toxiproxy import Link, Toxiproxy
from roadstead.tokens.receipt_keys import SigningKey
from tests.faults.admitted import KEYS, Admission
from tests.faults.aftermath import Scene, aftermath
from tests.faults.wanted import Contract, Server, Wanted
from tests.support import custom_objects
from tests.support.builders.objects import (
    Raw,
    fresh_name,
    make_contract,
    make_model,
    make_modelserve,
)
from tests.support.ledger import Ledger
from tests.support.operator.namespace import Operated, condition, list_all
from tests.support.operator.operator_process import spawn, until_operator_ready
from tests.support.operator.replicas import account, user
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

SERVERS: Final = ("a", "b", "c")
MODELS: Final = (0, 1)
CONTRACTS: Final = ("small", "large")
RECOVERY_SECONDS: Final = 240
PAUSE: Final = 0.4
OWNED: Final = ("deployments", "services", "serviceaccounts", "networkpolicies", "secrets")
OPERATOR: Final = "operator"


@dataclasses.dataclass(frozen=True)
class Step:
    """A request or a fault."""

    what: str
    which: Any = None
    much: int = 0


@dataclasses.dataclass(kw_only=True)
class Course:
    """A namespace, an operator behind links that can be cut, and the requests so far."""

    operated: Operated
    admission: Admission
    links: dict[str, Link]
    environ: dict[str, str]
    log: Path
    models: tuple[str, ...]
    """Names of models in the source."""
    wanted: Wanted = dataclasses.field(default_factory=Wanted)
    process: subprocess.Popen[bytes] | None = None

    async def run(self, steps: list[Step]) -> None:
        """Execute the steps, restore all links, and wait for the requested state."""
        self.start()
        for step in steps:
            await getattr(self, f"_{step.what}")(step)
            await asyncio.sleep(PAUSE)
        await self._restore(Step("restore"))
        assert self.process is not None
        assert self.process.poll() is None, "the operator exited"
        # An operator that is still starting would write after the state is reached.
        port = int(self.environ["ROADSTEAD_HTTP_PORT"])
        await until_operator_ready(self.process, port, self.log)
        await assert_eventually(self.is_as_requested, timeout=RECOVERY_SECONDS, interval=1)

    def start(self) -> None:
        """Start another operator without waiting until it is ready."""
        self.process = spawn(self.environ, self.log)

    async def _serve(self, step: Step) -> None:
        if step.which in self.wanted.servers:
            return
        server = Server(
            model=self.models[step.much % 2],
            contract=self._contract_of(step.which),
            replicas=step.much,
        )
        body = self._body(step.which)
        body["spec"] |= {
            "modelName": server.model,
            "contract": server.contract,
            "replicas": server.replicas,
        }
        await self.admission.create(body)
        self.wanted = self.wanted.with_server(step.which, server)

    async def _scale(self, step: Step) -> None:
        server = self.wanted.servers.get(step.which)
        if server is not None:
            changes = {"spec": {"replicas": step.much}}
            await custom_objects.patch(self.operated.api, self._body(step.which), changes, "scale")
            changed = dataclasses.replace(server, replicas=step.much)
            self.wanted = self.wanted.with_server(step.which, changed)

    async def _context(self, step: Step) -> None:
        server = self.wanted.servers.get(step.which)
        if server is not None:
            body = await custom_objects.get(self.operated.api, self._body(step.which))
            context = 4096 * step.much
            spec = {**body["spec"], "runtimeParams": {"contextSize": context}}
            await self.admission.respec(body, spec)
            changed = dataclasses.replace(server, context=context)
            self.wanted = self.wanted.with_server(step.which, changed)

    async def _delete(self, step: Step) -> None:
        if step.which in self.wanted.servers:
            await custom_objects.delete(self.operated.api, self._body(step.which))
            self.wanted = self.wanted.without_server(step.which)

    async def _create_model(self, step: Step) -> None:
        name = self.models[step.which]
        body = make_model(name=name, source={"quant": {"modelId": name}})
        found = await self._create_or_get(body)
        if not found["metadata"].get("deletionTimestamp"):
            self.wanted = self.wanted.with_model(name)

    async def _create_or_get(self, body: Raw) -> Raw:
        """Create a Model that a server may have created already, or that may be terminating."""
        while True:
            with contextlib.suppress(client.ApiException):
                await custom_objects.create(self.operated.api, body)
            with contextlib.suppress(client.ApiException):
                return await custom_objects.get(self.operated.api, body)

    async def _delete_model(self, step: Step) -> None:
        name = self.models[step.which]
        with contextlib.suppress(client.ApiException):  # It may not exist yet.
            await custom_objects.delete(self.operated.api, make_model(name=name))
        self.wanted = self.wanted.without_model(name)

    async def _apply_contract(self, step: Step) -> None:
        contract = Contract(replicas=step.much, drains=step.which == "small")
        spec = {"perServer": {"replicas": step.much}}
        body = make_contract(
            name=self._contract(step.which),
            namespaces={"names": [self.operated.namespace]},
            enforcement="Drain" if contract.drains else "Report",
            **spec,
        )
        if step.which in self.wanted.contracts:
            await custom_objects.patch(self.operated.api, body, {"spec": spec})
        else:
            await custom_objects.create(self.operated.api, body)
        self.wanted = self.wanted.with_contract(step.which, contract)

    async def _delete_contract(self, step: Step) -> None:
        if step.which in self.wanted.contracts:
            body = make_contract(name=self._contract(step.which))
            await custom_objects.delete(self.operated.api, body)
            self.wanted = self.wanted.without_contract(step.which)

    async def _kill(self, _: Step) -> None:
        assert self.process is not None
        assert self.process.poll() is None, "the operator exited"
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.start()

    async def _pause(self, _: Step) -> None:
        await asyncio.sleep(3)

    async def _cut(self, step: Step) -> None:
        self.links[step.which].cut()

    async def _restore(self, _: Step) -> None:
        for link in self.links.values():
            link.restore()

    def _contract_of(self, server: str) -> str:
        return self._contract(CONTRACTS[SERVERS.index(server) % 2])

    def _contract(self, which: str) -> str:
        return f"{self.operated.namespace}-{which}"

    def _body(self, name: str) -> Raw:
        body = make_modelserve(self.operated.namespace, name=name, modelName=self.models[0])
        del body["spec"]["modelName"]
        return body

    async def is_as_requested(self) -> bool:
        """Whether the state is as requested; an AssertionError has the difference."""
        await self._collect_garbage()
        for contract in await self._list("resourcecontracts"):
            assert condition(contract, "Ready"), contract["metadata"]["name"]
        bodies = {each["metadata"]["name"]: each for each in await self._list("modelserves")}
        models = {each["metadata"]["name"]: each for each in await self._list("models")}
        assert bodies.keys() == self.wanted.servers.keys()
        for name, body in bodies.items():
            await self._check_server(name, body, models)
        for name, model in models.items():
            leaving = model["metadata"].get("deletionTimestamp")
            assert not leaving or self.wanted.users(name), f"Model {name} is not deleted"
            # The end of a transfer would be written after the state is reached.
            verified = condition(model, "Verified").get("status") == "True"
            assert leaving or verified, f"Model {name} is not verified"
        assert self.wanted.models - models.keys() == set()
        return True

    async def _check_server(self, name: str, body: Raw, models: dict[str, Raw]) -> None:
        status, generation = body.get("status", {}), body["metadata"]["generation"]
        assert status.get("observedGeneration") == generation, (name, status)
        deployment = await self._deployment(name)
        key = self._contract
        contracts = {key(which): each for which, each in self.wanted.contracts.items()}
        wanted = dataclasses.replace(self.wanted, contracts=contracts)
        shown = wanted.shown(name, runs=deployment is not None)
        accepted = condition(body, "ContractAccepted")
        assert accepted["status"] == str(shown.accepted), (name, shown, accepted)
        assert condition(body, "Ready")["message"], body
        leaving = models.get(self.wanted.servers[name].model, {}).get("metadata", {})
        if leaving.get("deletionTimestamp"):
            assert condition(body, "Ready")["reason"] in ("ModelDeleting", accepted["reason"]), body
            return
        if shown.accepted:
            assert deployment is not None, (name, status)
        if shown.replicas is not None and deployment is not None:
            assert deployment["spec"]["replicas"] == shown.replicas, (name, shown)
        if shown.context is not None and deployment is not None:
            args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
            assert args[args.index("--ctx-size") + 1] == str(shown.context), (name, shown)

    async def _deployment(self, name: str) -> Raw | None:
        found = await self.operated.children("deployments")
        return next((each for each in found if each["metadata"]["name"] == name), None)

    async def _list(self, plural: str) -> list[Raw]:
        return await list_all(self.operated.api, plural)

    async def _collect_garbage(self) -> None:
        """Act as the garbage collector: delete objects without an existing owner."""
        alive = {each["metadata"]["uid"] for each in await self._list("modelserves")}
        for plural in OWNED:
            for child in await self.operated.children(plural):
                owners = child["metadata"].get("ownerReferences", ())
                if owners and not alive & {owner["uid"] for owner in owners}:
                    path = f"{self.operated.path(plural)}/{child['metadata']['name']}"
                    with contextlib.suppress(AssertionError):
                        await send_raw(self.operated.api, "DELETE", path)


@contextlib.asynccontextmanager
async def running_course(
    operated: Operated, server: ApiServer, ledger: Ledger, proxies: Toxiproxy, folder: Path
) -> AsyncIterator[Course]:
    """Run a course and check its aftermath; the operator is killed after the block."""
    token = await account(operated, OPERATOR)
    admission = Admission(api=operated.api, key=SigningKey.generate())
    await admission.publish(operated.namespace)
    upstreams = {
        "apiserver": server.url.removeprefix("https://"),
        "store": operated.site.store.endpoint.removeprefix("http://"),
        "ledger": f"127.0.0.1:{ledger.server.port}",
    }
    with contextlib.ExitStack() as stack:
        links = {
            name: stack.enter_context(proxies.link(fresh_name(name), upstream))
            for name, upstream in upstreams.items()
        }
        kubeconfig, dsn = folder / "linked.kubeconfig", folder / "linked.dsn"
        address = f"https://{links['apiserver'].address}"
        kubeconfig.write_text(json.dumps(kubeconfig_content(address, server.ca, token)))
        direct = ledger.server.dsn("writer")
        dsn.write_text(direct.replace(str(ledger.server.port), str(links["ledger"].port)))
        course = Course(
            operated=operated,
            admission=admission,
            links=links,
            environ=operated.site.environ(
                kubeconfig,
                ROADSTEAD_NAMESPACE=operated.namespace,
                ROADSTEAD_RECEIPT_KEYS=KEYS,
                ROADSTEAD_ADMISSION="required",
                ROADSTEAD_STORE_ENDPOINT=f"http://{links['store'].address}",
                ROADSTEAD_LEDGER_DSN_FILE=str(dsn),
            ),
            log=folder / "operator.log",
            models=(operated.site.publish(), operated.site.publish()),
        )
        scene = Scene(
            operated=operated,
            server=server,
            log=course.log,
            ledger=ledger,
            users=(user(operated.namespace, OPERATOR),),
            tokens=(token,),
        )
        try:
            yield course
            await aftermath(scene)
        finally:
            if course.process is not None:
                course.process.kill()
                await asyncio.to_thread(course.process.wait)
