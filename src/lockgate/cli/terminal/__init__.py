"""Tables, colours, options and messages that commands share."""
