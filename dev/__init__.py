"""What a developer runs: the local cluster, its images, the demo and the benchmarks."""
