"""Offline prediction for files of any size, resumable, equal to online prediction."""
