"""Exact explanations of predictions: what each input column contributes."""
