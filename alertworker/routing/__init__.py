"""The receivers of an alert: routes, matchers, silences, inhibitions and time intervals. Pure.

The terms are those of Alertmanager.
"""
