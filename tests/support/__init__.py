"""What more than one tier of tests, or the benchmarks, use. It imports no tier."""
