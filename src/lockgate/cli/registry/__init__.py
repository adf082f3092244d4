"""Commands for versions and stages."""
