"""The Open Inference Protocol, version 2, with binary tensors."""
