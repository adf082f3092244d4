"""Commands for the prediction log."""
