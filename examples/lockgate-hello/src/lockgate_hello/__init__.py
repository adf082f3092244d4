"""The smallest package of lockgate plugins: a compressor and an evaluator."""
