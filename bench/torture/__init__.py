"""LiteLLM's alerting and alertworker under the same faults. `make torture` prints the expected and actual results.

Every figure is measured in the run that prints it. No time is asserted.
"""
