"""The server: HTTP in, answers out; the only room with asyncio."""
