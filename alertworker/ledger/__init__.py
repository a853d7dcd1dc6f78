"""The spend ledger's arithmetic: which rows a call adds to, and the queries that the ledger answers. Pure."""
