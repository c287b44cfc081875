"""What people see, word for word: the payloads on every platform, the terminal, the pages and the answers in the chats.

A change that is not meant to be seen leaves these files as they are. One that is meant to be writes them anew, and
its commit says why: ``RELAY_GOLDENS=write scripts/test tests/goldens``.
"""
