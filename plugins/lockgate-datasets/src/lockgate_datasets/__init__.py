"""Real data sets as loaders, read from published packages and never imported from them."""
