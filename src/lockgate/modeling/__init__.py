"""Training, metrics, statistics and solvers; nothing here knows bundles."""
