"""Loaded models, requests for predictions, batches, and their record."""
