"""The stages as plain functions, from a loader's table to a bundle and its monitoring."""
