"""A seeded world around the real pipeline: labelled incidents behind a router like LiteLLM's, and a score for each.

`world` is what there is, `faults` what goes wrong, `router` and `calls` how a proxy handles a call, `proxies` its
processes, `wire` the events, `pipeline` alertworker itself with its clock passed in. `scenarios` say what happens and
what must be sent about it, `score` compares that with what was sent.
"""
