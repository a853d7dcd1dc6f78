"""The HTTP side: events come in, and what the line knows can be looked at."""
