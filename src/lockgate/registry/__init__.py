"""Versions, stages, gates and their history, with Git as the database."""
