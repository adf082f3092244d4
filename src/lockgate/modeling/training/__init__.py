"""Fitting of recipes, and the objective that optimizers minimize."""
