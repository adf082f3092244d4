"""Finds plugins, checks parameters against them, and calls them."""
