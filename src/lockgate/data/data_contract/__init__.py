"""Data contracts: what the columns of a project's data must hold."""
