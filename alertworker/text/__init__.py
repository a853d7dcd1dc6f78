"""Strings, whoever wrote them: made safe to show, cut to size, freed of secrets, and formatted. Pure."""
