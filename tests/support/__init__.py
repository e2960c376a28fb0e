"""Code that several tiers of tests, or the benchmarks, use. It imports no tier."""
