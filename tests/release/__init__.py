"""A whole release: built twice, pushed to a registry, verified and rendered from there."""
