"""Data preparation: what a cell means, reading and writing files, schema, splits, row and cell rules."""
