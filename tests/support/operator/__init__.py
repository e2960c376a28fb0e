"""`roadstead operator` with its store, its source and a namespace."""
