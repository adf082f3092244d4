"""The prediction server; the only package with asyncio and HTTP."""
