"""Packs a model that was fitted elsewhere into a bundle: `lockgate.pack`."""
