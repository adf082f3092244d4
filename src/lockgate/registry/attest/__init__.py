"""Rebuilds a version from its commit and compares the bytes."""
