"""Reconciles of Flux's apply engine, as its kustomize-controller runs them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

from dev import binaries
from dev.servers.apiserver import ApiServer
from tests.support.builders.objects import Raw

UNCHANGED, CREATED, CONFIGURED, DELETED = "unchanged", "created", "configured", "deleted"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconcile:
    """What a reconcile did with each object, by name; nothing if one was refused."""

    actions: dict[str, str]
    error: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flux:
    """A Kustomization with `spec.serviceAccountName`, which the engine impersonates."""

    program: Path
    kubeconfig: Path
    account: str

    @classmethod
    def of(cls, server: ApiServer, account: str) -> Flux:
        """Return the engine, built if it is missing."""
        program = binaries.ensure("fluxapply")["fluxapply"]
        return cls(program=program, kubeconfig=server.kubeconfig, account=account)

    def reconcile(
        self, *objects: Raw, prune: tuple[Raw, ...] = (), force: bool = False
    ) -> Reconcile:
        """Apply the objects, then delete those of `prune`."""
        done = subprocess.run(
            [self.program, "-as", self.account, *(["-force"] if force else [])],
            input=json.dumps({"apply": objects, "delete": prune}),
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "GOMAXPROCS": "1"},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return Reconcile(**json.loads(done.stdout))
