"""The host: folders and sockets, secrets in environment variables and files, and log lines."""
