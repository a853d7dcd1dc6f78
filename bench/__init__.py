"""The benchmarks of `make bench`: alertworker, LiteLLM's alerting and plain Celery in one run. No time is asserted."""
