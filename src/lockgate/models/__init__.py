"""Models as files: the packed format, converters from scikit-learn, bundles, packing."""
