"""All that is known of one version, as data and as a page."""
