"""Supervisor and worker processes, and how a server changes what it serves."""
