"""What is decided, and nothing else: no await, no clock, no randomness, no logging."""
