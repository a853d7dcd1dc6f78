"""E-mail: the channel, and the HTML of its messages."""
