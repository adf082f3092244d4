"""Data preparation that belongs to the host: schema, row rules, splits, cell rules."""
