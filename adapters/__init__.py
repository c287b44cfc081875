"""The chat platforms. Each module here is one adapter: rendering (pure) on top, the class below."""
