"""lockgate's own JSON protocol: /predict and /feedback."""
