"""Composition of parameters; the only package that imports Hydra and OmegaConf."""
