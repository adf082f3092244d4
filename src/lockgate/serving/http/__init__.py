"""HTTP/1.1 connections, messages, routes and tokens."""
