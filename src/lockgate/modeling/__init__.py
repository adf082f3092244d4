"""Training, metrics, statistics and solvers; nothing here depends on bundles."""
