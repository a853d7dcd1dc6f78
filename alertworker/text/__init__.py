"""Functions that sanitize, shorten, redact and format strings. Pure."""
