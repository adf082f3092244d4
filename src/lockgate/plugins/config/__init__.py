"""Composition of parameters; the only package with Hydra and OmegaConf."""
