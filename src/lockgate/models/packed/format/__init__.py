"""What a packed file means, to the bit: container, header, operations."""
