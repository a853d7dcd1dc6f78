"""How a message reaches a receiver: what a channel is, when to retry, and which waiting messages become one. Pure."""
