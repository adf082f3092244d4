"""Files for systemd, Docker and Kubernetes."""
