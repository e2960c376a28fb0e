"""`roadstead generate-secrets`: creates the Secrets of a release that don't exist yet.

Rendering a chart twice gives the same text only if the keys are not part of it. With
`secrets.generate: job`, a Job runs this command before each install and upgrade, and nothing else
changes the Secrets: values that exist are kept.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import logging
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidSettings, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import SECRETS

logger = logging.getLogger(__name__)

KEPT: Final = {
    # The chart may have rendered the Secret before: neither Helm nor Argo CD deletes it then.
    "helm.sh/resource-policy": "keep",
    "argocd.argoproj.io/sync-options": "Prune=false",
}
_ALPHABET: Final = string.ascii_letters + string.digits
_FORM: Final = (
    'write a JSON list such as [{"name": "roadstead-jwt", "values": {"secret": {"size": 48}}}]'
)
_SIZES: Final = range(16, 129)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratedValue:
    """A random text of `size` letters and digits, put in place of `%s` in `form`."""

    size: int
    form: str = "%s"

    @classmethod
    def parse(cls, given: Any) -> Self:
        """From JSON; raises InvalidSettings."""
        try:
            found = cls(**given)
        except TypeError:
            raise InvalidSettings(f"invalid value {given!r}: {_FORM}") from None
        if type(found.size) is not int or found.size not in _SIZES:
            raise InvalidSettings(f"invalid size {found.size!r}: write 16 to 128")
        if not isinstance(found.form, str) or found.form.count("%s") != 1:
            raise InvalidSettings(f"invalid form {found.form!r}: write one %s")
        return found

    def generate(self, choose: Callable[[str], str]) -> str:
        """A new value, base64 as in a Secret."""
        text = "".join(choose(_ALPHABET) for _ in range(self.size))
        return base64.b64encode(self.form.replace("%s", text).encode()).decode()


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratedSecret:
    """A Secret with its annotations and its keys; labels are set only when it is created."""

    name: str
    values: Mapping[str, GeneratedValue]
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, given: Any) -> Self:
        """From JSON; raises InvalidSettings."""
        try:
            found = cls(**given)
            values = {key: GeneratedValue.parse(value) for key, value in found.values.items()}
        except (TypeError, AttributeError):
            raise InvalidSettings(f"invalid entry {given!r}: {_FORM}") from None
        return dataclasses.replace(found, values=values)

    @property
    def wanted_annotations(self) -> dict[str, str]:
        """Its own, and those that keep it."""
        return {**self.annotations, **KEPT}

    def missing_values(self, existing: Raw | None, choose: Callable[[str], str]) -> dict[str, str]:
        """New values of the keys that `existing` lacks; an empty value counts as missing."""
        data = section(existing or {}, "data")
        return {
            key: value.generate(choose) for key, value in self.values.items() if not data.get(key)
        }


def parse_secrets(text: str) -> Sequence[GeneratedSecret]:
    """The Secrets of a JSON list; raises InvalidSettings."""
    try:
        given = json.loads(text)
    except ValueError:
        raise InvalidSettings(f"no JSON: {_FORM}") from None
    if not isinstance(given, list):
        raise InvalidSettings(f"no list: {_FORM}")
    return [GeneratedSecret.parse(each) for each in given]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SecretGeneration:
    """Creates Secrets in `namespace`, and adds missing keys to existing ones."""

    client: KubeClient
    namespace: str
    choose: Callable[[str], str] = secrets.choice

    async def run(self, wanted: Sequence[GeneratedSecret]) -> None:
        """Create or complete all of them; raises KubeError."""
        for secret in wanted:
            await self._ensure(secret)

    async def _ensure(self, secret: GeneratedSecret) -> None:
        try:
            existing = await self.client.get(SECRETS, secret.name, self.namespace)
        except KubeNotFound:
            await self.client.create(SECRETS, self._manifest(secret))
            logger.info("created Secret %s", secret.name)
            return
        if change := self._change(secret, existing):
            await self.client.patch(SECRETS, secret.name, change, namespace=self.namespace)
            logger.info("completed Secret %s", secret.name)

    def _manifest(self, secret: GeneratedSecret) -> Raw:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": secret.name,
                "namespace": self.namespace,
                "labels": dict(secret.labels),
                "annotations": secret.wanted_annotations,
            },
            "type": "Opaque",
            "data": secret.missing_values(None, self.choose),
        }

    def _change(self, secret: GeneratedSecret, existing: Raw) -> Raw:
        """A merge patch with what is missing; empty if nothing is."""
        found = section(existing, "metadata", "annotations")
        wanted = secret.wanted_annotations
        marks = {key: text for key, text in wanted.items() if found.get(key) != text}
        values = secret.missing_values(existing, self.choose)
        if not marks and not values:
            return {}
        version = existing["metadata"]["resourceVersion"]
        return {
            "metadata": {"resourceVersion": version, "annotations": marks},
            "data": values,
        }


def run(text: str, namespace: str, *, kubeconfig: str | None) -> int:
    """Create what is missing; returns the exit code. Raises InvalidSettings and KubeError."""
    wanted = parse_secrets(text)
    asyncio.run(_run(wanted, namespace, kubeconfig))
    print(f"{len(wanted)} Secrets are complete")
    return 0


async def _run(wanted: Sequence[GeneratedSecret], namespace: str, kubeconfig: str | None) -> None:
    client = await KubeClient.connect(kubeconfig)
    try:
        await SecretGeneration(client=client, namespace=namespace).run(wanted)
    finally:
        await client.close()
