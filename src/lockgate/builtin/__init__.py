"""The built-in plugins, one file each, written against the public plugin contract."""
