"""Parsing of cells: one grammar for text, Python values, arrays and DataFrames."""
