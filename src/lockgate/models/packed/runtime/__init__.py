"""Runs packed models, by columns or one row at a time."""
