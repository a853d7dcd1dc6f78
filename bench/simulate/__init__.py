"""A seeded world around the real pipeline: labelled incidents behind a router like LiteLLM's, and a score for each.

`world` has the deployments and callers, `faults` the faults, `router` and `calls` how a proxy handles a call. `proxies`
has its processes, `wire` the events, and `pipeline` alertworker itself with its clock passed in. `scenarios` define
what happens and what must be sent about it. `score` compares that with the sent messages.
"""
