"""One file for each kind of channel, ``<kind>.py``, with what its contract tests need.

A file must define:

* ``config(url)``: a configuration of a channel that sends to this URL.
* ``complaints(sent)``: the vendor's published rules. It returns each reason why the vendor would refuse what is sent.
* ``BROKEN``: pairs of a complaint and a change that causes it. A rule that refuses nothing proves nothing.

`tests/contract/shape.py` has ``Sent``, ``Change``, and what rules are written with, such as ``keys``.
`tests/contract/vendors/discord.py` is an example for a chat.

A file may define:

* ``shown(sent)``: the text that a reader sees, without escapes and markup. The default is every string of the body.
* ``compose(body)``: the data that is sent, for a channel that does not post its body by HTTP.
* ``golden(body)``: golden files by their suffix, for a body that people review in several files.
* ``NOT_SENT``: the cases of `tests/contract/cases.py` that the channel is never sent. The default is ``tracked``, and
  ``digest`` if the channel merges no messages.
* ``LOOKALIKES``: characters that the channel replaces, with their replacements.
* ``ACCEPTS``: the status and body of the vendor's answer to a message that it accepts. The default is 200 and "ok".
* ``REFUSES``: bodies of answers with status 200 that report a failure, with the `Reason` of each. The default is none.
"""
