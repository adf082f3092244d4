"""Commands for a project and its pipeline."""
