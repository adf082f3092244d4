"""Versions, stages and what happened to them, with Git as the database; the only room with Git."""
