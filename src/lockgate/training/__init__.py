"""Fits recipes and measures them."""
