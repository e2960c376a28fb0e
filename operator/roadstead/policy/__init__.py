"""Rules as pure functions: what may run, from facts that were gathered before."""
