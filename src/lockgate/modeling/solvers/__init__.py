"""Numerical solvers on any backend of the array API."""
