"""The version of this lockgate."""

__version__ = "0.1.0"
