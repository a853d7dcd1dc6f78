"""Which receivers are notified of an alert: routes, matchers, silences, inhibitions and time intervals. Pure.

The words mean what they mean in Alertmanager.
"""
