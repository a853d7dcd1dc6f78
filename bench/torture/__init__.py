"""LiteLLM's own alerting and ours on the same faults: `make torture` prints what was expected and what each did.

Every figure is measured in the run that prints it. Nothing is asserted on time.
"""
