"""Commands on data contracts."""
