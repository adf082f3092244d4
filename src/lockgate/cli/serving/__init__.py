"""Commands for servers."""
