"""The alert: its data, its types, and the message that people read about it. Pure; no vendor, no database, no clock."""
