"""The contract between lockgate and its plugins: kinds, hooks, settings, requests and results."""
