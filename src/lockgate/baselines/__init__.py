"""Our own plugins that need only numpy, pandas and scikit-learn."""
