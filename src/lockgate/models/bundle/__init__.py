"""The directory that leaves the pipeline: its manifest, writing, opening, checks."""
