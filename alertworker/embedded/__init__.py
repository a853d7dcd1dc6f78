"""The embedded default: a real Valkey server as a child, and a supervisor for every process."""
