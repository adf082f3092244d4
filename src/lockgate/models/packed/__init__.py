"""The packed model: one file of data, read, validated and run with NumPy and msgspec alone."""
