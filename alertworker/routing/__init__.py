"""Who hears of an alert: routes, matchers, silences, inhibitions and time intervals, in Alertmanager's sense. Pure."""
