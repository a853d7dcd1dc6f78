"""How a message reaches a receiver: the interface of a channel, retries, and how waiting messages are merged. Pure."""
