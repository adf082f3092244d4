"""HTML reports and plots of a run."""
