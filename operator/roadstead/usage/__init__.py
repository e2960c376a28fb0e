"""Usage of servers, as reported by kubelets, metrics.k8s.io and llama.cpp."""
