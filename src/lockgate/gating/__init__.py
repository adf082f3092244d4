"""Puts the gates to a bundle, and writes down what they say."""
