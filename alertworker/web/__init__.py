"""The HTTP server: receives events and serves the pages."""
