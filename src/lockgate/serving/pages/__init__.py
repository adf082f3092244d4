"""The front page and the OpenAPI document."""
