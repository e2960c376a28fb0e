"""The cost of many objects: the modules of `dev/bench reconcile`."""
