"""Converts fitted scikit-learn pipelines to packed models, and compares the predictions."""
