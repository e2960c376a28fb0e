"""Rules as pure functions: what may run, decided from gathered facts."""
