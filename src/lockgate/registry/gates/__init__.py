"""The gates of a stage, and the verdict on a version."""
