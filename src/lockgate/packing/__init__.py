"""Fitted scikit-learn pipelines: their answers, and the file they travel in."""
