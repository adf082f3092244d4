"""Numerical solvers on any array API backend."""
