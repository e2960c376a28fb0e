"""Roadstead, a Kubernetes operator that serves GGUF language models under contract."""
