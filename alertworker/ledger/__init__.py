"""The spend ledger's arithmetic: what a call adds to which rows, and what the ledger can be asked. Pure."""
