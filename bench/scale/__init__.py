"""What many objects cost: the parts of `dev/bench reconcile`."""
