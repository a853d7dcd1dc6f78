"""The embedded default: a Valkey server as a child process, and a supervisor for all processes."""
