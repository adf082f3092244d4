"""The report of one version, as data and as an HTML page."""
