"""Evidence that a bundle may be served, checked without Git: events, signatures, verdicts."""
