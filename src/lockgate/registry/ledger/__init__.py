"""The event log in Git: reading, writing, checking and sharing events."""
