"""Spend that other ledgers bring: LiteLLM's tables, and files. What was taken is taken once."""
