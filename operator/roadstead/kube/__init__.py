"""The client of the Kubernetes API, watch caches, children and the election."""
