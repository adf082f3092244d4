"""Side-by-side measurements; `python -m benchmarks` writes docs/benchmarks.md."""
