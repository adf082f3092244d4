"""Two bundles on the same rows: metrics, predictions that differ, where either is better."""
