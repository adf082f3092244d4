"""Reading and writing files: one reader per file format, digests, atomic replacement."""
