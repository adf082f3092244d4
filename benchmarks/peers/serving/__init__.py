"""Servers of others: the same model behind each, as its own documentation recommends."""
