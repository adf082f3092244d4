"""The bundle, a directory with a model and its documents: written, opened, checked."""
