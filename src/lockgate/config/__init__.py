"""Composition of the parameters; the only room with Hydra and OmegaConf."""
