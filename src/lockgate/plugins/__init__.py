"""Plugins: the host that calls them, and the configuration that chooses them."""
