"""Tools for developers: the local cluster, its images, the demo and the benchmarks."""
