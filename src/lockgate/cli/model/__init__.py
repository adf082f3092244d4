"""Commands for a model or bundle."""
