"""Keras networks as models of lockgate, and in packed form."""
