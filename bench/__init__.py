"""The figures of `make bench`: ours beside LiteLLM's and plain Celery's, in one run. Nothing is asserted on time."""
