"""The one directory that leaves the pipeline: what it says, how it is written and read."""
