"""chart/README.md: how to install the chart, and its values."""

from __future__ import annotations

from dev.checks.references.chart_values import tables

HEAD = """# Roadstead

Roadstead is a Kubernetes operator that serves GGUF language models on premises, under contract,
with [llama.cpp](https://github.com/ggml-org/llama.cpp).

```
helm install roadstead chart --namespace roadstead-system --create-namespace \\
  --set images.roadstead=YOUR-REGISTRY/roadstead:0.1.0
```

It needs Kubernetes 1.30 or newer, a registry that your nodes can pull from, and a default
StorageClass or a store and a Postgres of your own.
[Install in your cluster](../docs/how-to/install.md) describes each step,
[Upgrade and removal](../docs/operations/upgrade.md) what follows.

Values that are unknown or contradict each other are refused. This page is written from the comments
of `values.yaml` by `make references`.
"""


def readme() -> str:
    """The content of the file."""
    # Links of the tables lead from docs/reference.
    return HEAD + tables().replace("](../", "](../docs/")
