"""Data preparation: cells, files, schema, splits, row rules and cell rules."""
