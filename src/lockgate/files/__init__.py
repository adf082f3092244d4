"""Bytes on disk: digests, atomic replacement, files that other distributions ship."""
