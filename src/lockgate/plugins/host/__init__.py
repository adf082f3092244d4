"""Lists installed plugins, checks parameters against them, and calls them."""
