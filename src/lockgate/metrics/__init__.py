"""Figures of merit with confidence intervals; numpy only."""
