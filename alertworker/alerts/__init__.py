"""The alert: what it is, its types, and what people read about it. Pure; no vendor, no database, no clock."""
