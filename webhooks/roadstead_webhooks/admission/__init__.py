"""Admission: parse a review, gather facts, decide, answer."""
