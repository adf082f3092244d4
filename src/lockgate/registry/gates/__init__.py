"""Which gates guard a stage, judging a version, and the verdict."""
