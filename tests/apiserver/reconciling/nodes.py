"""A simulated node: the pods of Jobs run as local processes, with logs as of a kubelet.

The Job controller and the collector of garbage are played too, where a test asks for what they do.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import certificates
from tests.support.builders.objects import Raw, fresh_name
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

KEY = "job"
PROGRAM = (sys.executable, "-m", "roadstead")


@dataclasses.dataclass(kw_only=True)
class Pod:
    """A pod whose only container is a local process."""

    operated: Operated
    name: str
    folder: Path
    process: asyncio.subprocess.Process
    is_gone: bool = False
    lines: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)
    """Its log lines with times."""

    async def logs(self) -> None:
        """Record its log lines until it exits."""
        assert self.process.stdout
        async for line in self.process.stdout:
            now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
            self.lines.append((now, line))

    async def ends(self) -> int:
        """Wait until it exits, report that as a kubelet does, and return the exit code."""
        code = await self.process.wait()
        message = (self.folder / "termination-log").read_text()
        ended = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
        await self.is_in({"terminated": ended}, "Failed" if code else "Succeeded")
        return code

    async def is_in(self, state: Raw, phase: str) -> None:
        """Write its status."""
        container = {
            "name": "transfer",
            "state": state,
            "ready": False,
            "restartCount": 0,
            "image": "roadstead:test",
            "imageID": "",
        }
        status = {"phase": phase, "containerStatuses": [container]}
        path = f"{self.operated.path('pods')}/{self.name}/status"
        await send_raw(self.operated.api, "PATCH", path, {"status": status})


@dataclasses.dataclass(kw_only=True)
class Node:
    """Runs pods for tests."""

    operated: Operated
    folder: Path
    name: str
    pods: dict[str, Pod] = dataclasses.field(default_factory=dict)
    _logging: list[asyncio.Task[None]] = dataclasses.field(default_factory=list)

    async def job(self, model: Raw) -> Raw:
        """Wait for the Job of a Model and its Secret."""
        name = f"transfer-{model['metadata']['uid']}"
        await assert_eventually(lambda: self.operated.has("secrets", name))
        return await self.operated.child("jobs", name)

    async def given(self, job: Raw) -> bytes:
        """The input of the Job's next pod."""
        secret = await self.operated.child("secrets", job["metadata"]["name"])
        return base64.b64decode(secret["data"][KEY])

    async def runs(self, job: Raw) -> Pod:
        """Create a pod of the Job and run it."""
        template = job["spec"]["template"]
        name = fresh_name("transfer")
        spec = {**template["spec"], "nodeName": self.name}
        body = {"apiVersion": "v1", "kind": "Pod", "spec": spec}
        labels = template["metadata"]["labels"]
        await send_raw(
            self.operated.api,
            "POST",
            self.operated.path("pods"),
            {**body, "metadata": {"name": name, "labels": labels}},
        )
        pod = await self._started(name, await self.given(job), spec["containers"][0])
        self.pods[name] = pod
        self._logging.append(asyncio.create_task(pod.logs()))
        await pod.is_in({"running": {}}, "Running")
        return pod

    async def collects(self, job: Raw) -> None:
        """Delete the dependents of a Job that is being deleted, and then the Job."""
        meta = job["metadata"]
        assert meta["finalizers"] == ["foregroundDeletion"]
        for pod in self.pods.values():
            if not pod.is_gone:
                await self._delete("pods", pod.name)
                pod.is_gone = True
        await self._delete("secrets", meta["name"])
        path = f"{self.operated.path('jobs')}/{meta['name']}"
        await send_raw(self.operated.api, "PATCH", path, {"metadata": {"finalizers": None}})

    async def end(self) -> None:
        """Stop all processes."""
        for pod in self.pods.values():
            with contextlib.suppress(ProcessLookupError):
                pod.process.kill()
            await pod.process.wait()
        # kopf cancels tasks that started while it ran.
        await asyncio.gather(*self._logging, return_exceptions=True)

    async def log(self, request: web.Request) -> web.StreamResponse:
        """`/containerLogs/NAMESPACE/POD/CONTAINER`, followed, with times."""
        pod, since = self.pods[request.match_info["pod"]], request.query.get("sinceTime", "")
        answer = web.StreamResponse()
        await answer.prepare(request)
        sent = 0
        while sent < len(pod.lines) or pod.process.returncode is None:
            for at, line in pod.lines[sent:]:
                if at >= since.removesuffix("Z"):
                    await answer.write(f"{at} ".encode() + line)
            sent = len(pod.lines)
            await asyncio.sleep(0.05)
        return answer

    async def _started(self, name: str, job: bytes, container: Any) -> Pod:
        folder = self.folder / name
        folder.mkdir()
        (folder / KEY).write_bytes(job)
        (folder / "termination-log").touch()
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *container["args"],
            env=self._environ(container, folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return Pod(operated=self.operated, name=name, folder=folder, process=process)

    def _environ(self, container: Any, folder: Path) -> dict[str, str]:
        """The environment of the container, with local paths for its mounts."""
        site = self.operated.site
        return {
            **{each["name"]: each.get("value", "") for each in container["env"]},
            "PATH": site.environ(self.operated.kubeconfig)["PATH"],
            "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(site.store.access_key_file),
            "ROADSTEAD_STORE_SECRET_KEY_FILE": str(site.store.secret_key_file),
            "ROADSTEAD_QUANT_KEY_FILE": str(site.quant_key_file),
            "ROADSTEAD_TRANSFER_JOB_FILE": str(folder / KEY),
            "ROADSTEAD_TRANSFER_TERMINATION_LOG": str(folder / "termination-log"),
        }

    async def _delete(self, plural: str, name: str) -> None:
        path = f"{self.operated.path(plural)}/{name}?gracePeriodSeconds=0"
        await send_raw(self.operated.api, "DELETE", path)


@contextlib.asynccontextmanager
async def standing_node(operated: Operated, folder: Path) -> AsyncIterator[Node]:
    """A registered node while the context is open."""
    node = Node(operated=operated, folder=folder, name=fresh_name("node"))
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", node.log)
    issued = certificates.issue(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        await _register(node, runner.addresses[0][1])
        yield node
    finally:
        await node.end()
        await runner.cleanup()


async def _register(node: Node, port: int) -> None:
    api, nodes = node.operated.api, "/api/v1/nodes"
    meta = {"name": node.name}
    await send_raw(api, "POST", nodes, {"apiVersion": "v1", "kind": "Node", "metadata": meta})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    await send_raw(api, "PATCH", f"{nodes}/{node.name}/status", {"status": status})
