"""Asking the gateway from outside, as a caller would."""
