"""The places that are read: one module a source, parsing (pure) on top, the class below."""
