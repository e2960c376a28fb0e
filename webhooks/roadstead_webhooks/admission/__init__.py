"""Admission: parse, gather, decide, answer."""
