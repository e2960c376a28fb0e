"""Benchmarks: ours beside what people use otherwise, in one run, alternating."""
