"""How much of what a server sends is read: the one place for the limits that a document or a post has.

The limits of a text stand in :mod:`relay.text.limits`, the size of an answer in the settings of the client. No honest
server comes near these.
"""

from __future__ import annotations

STATUS = 100_000
"""Characters of HTML or text of a short post that are read."""
NOTE = 20_000
"""Characters of a profile among which a refusal is looked for."""
RECORD = 2_000_000
"""Bytes of JSON that one post may be told in; what is larger is none."""
PARTS = 500_000
"""Commas in a JSON document that is larger than a post: more are no document, but a flood of empty values."""
REPAIRED, REPAIRED_PARTS = 1_000_000, 50_000
"""Bytes, and commas, of a JSON document with broken characters that is mended; it takes longer than to read it."""
ITEMS = 10_000
"""Elements of a list that are looked at, where no limit of its own is named."""
THREAD, THREAD_BYTES = 10_000, 30_000_000
"""Posts of one thread, over all answers that tell of it, and bytes of their JSON; then no more is asked for."""
NAME = 300
"""Characters of an id or a handle; a longer one is none."""
TAGS = 100
MEDIA = 50
OPTIONS = 50
"""Choices of a poll."""
FIELDS = 50
"""Lines of the table in a profile."""
MENTIONS = 1_000
FACETS, FEATURES = 1_000, 20
"""Marked places in a text, and what one of them means."""
