"""The prediction log: predictions, labels that come later, export, lineage."""
