"""Counts of values in fixed bins, and tests between two of them; statistics only."""
