"""Deployment directories: what a server serves, and how that changes."""
