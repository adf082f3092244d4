"""The stages of the pipeline, from a loader's table to a bundle and its drift report."""
