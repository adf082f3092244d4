"""Metrics with confidence intervals; NumPy only."""
