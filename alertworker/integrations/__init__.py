"""Integrations with the programs that produce events: one package per program."""
