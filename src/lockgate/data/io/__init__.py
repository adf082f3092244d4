"""Reading and writing files: one reader per form, digests, atomic replacement."""
