"""Fits recipes, and the objective that optimizers minimize."""
