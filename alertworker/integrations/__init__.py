"""Where other programs' events come in: one package per program."""
