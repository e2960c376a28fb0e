"""Source to store: one model, resumable and verified."""
