"""Readers and writers of each request protocol."""
