"""Benchmarks of Roadstead and of common alternatives, alternating in one run."""
