"""What servers use: asked of the kubelets, of metrics.k8s.io and of llama.cpp itself."""
