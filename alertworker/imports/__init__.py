"""Imports past spend from LiteLLM's tables and from files. Each row is imported once."""
