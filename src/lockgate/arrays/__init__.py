"""Numerical work on whichever array backend was chosen."""
