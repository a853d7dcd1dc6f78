"""This host: its folders and sockets, secrets in its environment and files, and its log lines."""
