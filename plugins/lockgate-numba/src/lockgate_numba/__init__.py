"""Compiled trees for packed models."""
