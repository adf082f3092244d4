"""Counts of values in fixed bins, and tests between two samples of them."""
