"""The control socket of a running server: messages and client."""
