"""Our own plugins, one file each, written against the public contract."""
