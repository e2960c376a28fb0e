"""The Kubernetes API: reading, writing, watching. Knows nothing of stores and sources."""
