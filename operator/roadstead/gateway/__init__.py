"""Probes of the gateway from outside, as a caller."""
