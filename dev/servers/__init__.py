"""Servers on 127.0.0.1 for tests and benchmarks, each with its data in a folder."""
