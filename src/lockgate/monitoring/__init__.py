"""What is known of answers given: the prediction log."""
