"""The packed model: one file of data that is read, validated and run with NumPy and msgspec alone."""
