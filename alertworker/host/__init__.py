"""This host: its folders and sockets, and secrets in its environment and files."""
