"""The spend ledger in SQL."""
