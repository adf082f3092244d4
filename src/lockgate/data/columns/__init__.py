"""What a cell means: one grammar for text, Python values, arrays and DataFrames."""
