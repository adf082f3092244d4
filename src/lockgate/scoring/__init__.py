"""Offline prediction: files of any size, resumable, with the answers that a server gives."""
