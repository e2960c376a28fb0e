"""The chart as rendered by Helm, parsed."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "chart"

Object = dict[str, Any]
Values = Mapping[str, Any]

IMAGE = "registry.test/roadstead:test"
"""The image of Roadstead, which the chart requires."""

EXISTING_STORE: Values = {
    "store": {
        "endpoint": "https://s3.example.com:9443",
        "existingSecret": "s3-keys",
        "embedded": {"enabled": False},
    },
}
"""An existing store instead of the embedded one."""

EXISTING_POSTGRES: Values = {
    "postgres": {"embedded": False},
    "ledger": {
        "port": 6432,
        "existingSecrets": {"owner": "db-owner", "writer": "db-writer", "reader": "db-reader"},
    },
    "networkPolicy": {"ledgerPeers": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]},
}
"""An existing Postgres instead of the embedded one."""

NO_LEDGER: Values = {"ledger": {"enabled": False}}

JOBS: Values = {
    "transfer": {
        "runner": "job",
        "job": {
            "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
            "nodeSelector": {"network": "fast"},
            "tolerations": [{"key": "models", "operator": "Exists"}],
            "priorityClassName": "low",
        },
    },
    "source": {"allow": ["https://models.example.com"]},
    "quant": {"endpoint": "http://quant.example.com:8090"},
}
"""Transfers as Jobs."""

EXTRA: Values = {
    "extraEnv": [{"name": "EXTRA", "value": "1"}],
    "extraVolumes": [{"name": "extra", "secret": {"secretName": "extra"}}],
    "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}],
}
"""More variables and volumes of a component."""
TRUST: Values = {
    "trust": {"configMap": "private", "key": "bundle.pem", "mode": "replace"},
    "source": {"proxy": {"url": "http://proxy:3128", "existingSecret": "proxy"}},
    "tokens": {"proxy": {"url": "http://proxy:3128", "existingSecret": "proxy"}},
}
"""Private authorities and proxies. Settings read the file of the authorities, so it is not part of
EVERYTHING."""

EVERYTHING: Values = {
    "global": {"imageRegistry": "mirror.test", "imagePullSecrets": [{"name": "mirror"}]},
    "commonLabels": {"example.com/team": "platform"},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x"}}
    ],
    "images": {"pullPolicy": "Always", "pullSecrets": [{"name": "registry"}]},
    "operator": {
        "podAnnotations": {"example.com/scrape": "true"},
        "podLabels": {"example.com/team": "models"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "models", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "podDisruptionBudget": {"minAvailable": "50%"},
        **EXTRA,
    },
    "webhooks": {
        "replicas": 3,
        "podDisruptionBudget": {"minAvailable": 2},
        **EXTRA,
        "podAnnotations": {"example.com/scrape": "true"},
        "podLabels": {"example.com/team": "models"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "models", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
    },
    "tokens": {
        "local": {"existingSecret": "jwt"},
        "serviceAccounts": [{"namespace": "flux-system", "name": "applier", "groups": ["a"]}],
        "issuers": [
            {
                "issuer": "https://login.example.com",
                "audience": "roadstead",
                "jwksUrl": "https://login.example.com/keys.json",
                "groupsClaim": "roles",
                "subjectPrefix": "login:",
                "groupsPrefix": "login:",
            },
            {
                "issuer": "partner",
                "audience": "roadstead",
                "existingSecret": "partner-jwt",
                "subjectPrefix": "partner:",
                "groupsPrefix": "partner:",
                "scopesPrefix": "partner/",
            },
        ],
    },
    "store": {
        "embedded": {
            "persistence": {"size": "1Ti", "storageClassName": "fast"},
            **EXTRA,
            "nodeSelector": {"disk": "big"},
            "tolerations": [{"key": "models", "operator": "Exists"}],
        },
    },
    "ledger": {
        "retention": {"historyDays": 30, "usageDays": 7, "admissionDays": 365},
        "existingSecrets": {"owner": "db-owner", "writer": "db-writer", "reader": "db-reader"},
    },
    "postgres": {
        "persistence": {"size": "50Gi", "storageClassName": "fast"},
        "nodeSelector": {"disk": "big"},
        "tolerations": [{"key": "models", "operator": "Exists"}],
    },
    "quant": {"endpoint": "https://quant.example.com", "existingSecret": "quant-key"},
    "source": {"allow": ["https://models.example.com", "10.1.0.0/16:9000"]},
    "gateway": {
        "kind": "traefik",
        "url": "https://models.example.com:8443",
        "address": "traefik.gateway.svc:443",
        "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "namespace": "gateway",
        "entryPoints": ["websecure", "internal"],
        "certResolver": "acme",
        "existingSecret": "gateway-key",
    },
    "console": {"url": "https://console.example.com"},
    "forwardAuth": {
        "replicas": 3,
        "podAnnotations": {"example.com/scrape": "true"},
        "podLabels": {"example.com/team": "models"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "models", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
    },
    "usage": {"kubeletCABundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
    "monitoring": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
        "rules": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "runbookUrl": "https://docs.example.com/runbooks",
        },
        "dashboards": {"enabled": True},
    },
    "networkPolicy": {
        "metricsFrom": [{"namespaceSelector": {}}],
        "sourcePeers": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
        "ledgerFrom": [{"podSelector": {"matchLabels": {"app": "grafana"}}}],
    },
}
"""Values for everything that is empty by default, as far as they are compatible."""

MONITORING = ("monitoring.coreos.com/v1/PodMonitor", "monitoring.coreos.com/v1/PrometheusRule")
"""Additional APIs of a cluster with the Prometheus operator."""

NO_GATEWAY: Values = {"gateway": {"kind": "none"}}

EMBEDDED_GATEWAY: Values = {"gateway": {"kind": "embedded", "url": "https://models.example.com"}}
"""The chart's own Traefik at a public address."""

EMBEDDED_QUANT: Values = {
    "quant": {
        "embedded": {
            "enabled": True,
            "endpoint": "https://s3.example.com:9443",
            "existingSecret": "source-keys",
        }
    },
}
"""The reference Quant service in front of an S3 server."""

TRAEFIK: Values = {
    "gateway": {"kind": "traefik", "url": "https://models.example.com", "namespace": "gateway"},
}
"""Routes as Traefik's own objects."""

GATEWAY_API: Values = {
    "gateway": {
        "kind": "gateway-api",
        "url": "https://models.example.com",
        "namespace": "gateway",
        "parent": {"name": "models", "sectionName": "https"},
    },
}
"""Routes as HTTPRoutes."""


def with_image(values: Values | None) -> Values:
    """Values with IMAGE, unless they name an image."""
    images = (values or {}).get("images", {})
    return {**(values or {}), "images": {"roadstead": IMAGE, **images}}


class ChartRefused(Exception):
    """Helm's message for invalid values."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rendered:
    """The rendered objects."""

    objects: list[Object]

    def of(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """The object of that kind and name."""
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return [each["metadata"]["name"] for each in self.of(kind)]

    def pod_specs(self) -> Iterator[Object]:
        """The pod spec of each workload, of the test, and of the operator's template for Jobs."""
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            for each in self.of(kind):
                yield each["spec"]["template"]["spec"]
        for each in self.of("Pod"):
            yield each["spec"]
        if "roadstead-transfer-job" in self.names("ConfigMap"):
            yield self.transfer_job()["spec"]["template"]["spec"]

    def transfer_job(self) -> Object:
        """The template of the transfer Jobs."""
        text = self.one("ConfigMap", "roadstead-transfer-job")["data"]["job.yaml"]
        template: Object = yaml.safe_load(text)
        return template

    def env(self, part: str) -> dict[str, str]:
        """The environment of a component such as `operator`; values from fields are empty."""
        deployment = self.one("Deployment", f"roadstead-{part}")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return {each["name"]: each.get("value", "") for each in container["env"]}

    def operator_env(self) -> dict[str, str]:
        """The operator's environment."""
        return self.env("operator")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart:
    """The chart, rendered by a Helm binary as release `roadstead` in `roadstead-system`."""

    helm: Path

    def render(self, values: Values | None = None, *, apis: Sequence[str] = MONITORING) -> Rendered:
        """Render with values over the defaults and IMAGE, for a cluster with additional `apis`.

        Many tests render the same values, so each text is rendered once per process; the objects
        are parsed each time, since a test may change its own. Raises ChartRefused.
        """
        # The loader in C takes a tenth of the time of `safe_load_all`.
        objects = yaml.load_all(self.text(values, apis=apis), Loader=yaml.CSafeLoader)
        return Rendered(objects=[each for each in objects if each])

    def text(self, values: Values | None = None, *, apis: Sequence[str] = MONITORING) -> str:
        """The output of `helm template`. Raises ChartRefused."""
        return _template(self.helm, json.dumps(with_image(values)), tuple(apis))

    def render_in(self, folder: Path, *options: str) -> str:
        """Output of `helm template` in a folder, with these options alone. Raises ChartRefused."""
        command = [str(self.helm), "template", "roadstead", str(CHART), *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise ChartRefused(done.stderr)
        return done.stdout

    def lint(self) -> str:
        """Output of `helm lint --strict`."""
        image = f"images.roadstead={IMAGE}"
        command = [str(self.helm), "lint", "--strict", "--quiet", "--set", image, str(CHART)]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr


@functools.cache
def _template(helm: Path, values: str, apis: Sequence[str]) -> str:
    """The output of `helm template` with values in JSON."""
    release = ("roadstead", str(CHART), "-n", "roadstead-system", "--kube-version", "1.37.2")
    versions = (f"--api-versions={each}" for each in apis)
    done = subprocess.run(
        [str(helm), "template", *release, *versions, "-f", "-"],
        input=values,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ChartRefused(done.stderr)
    return done.stdout
