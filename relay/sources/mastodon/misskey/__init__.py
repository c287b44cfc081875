"""Misskey and its forks: they speak an API of their own, and are read with the same care for what is public.

``shapes``, ``mfm``, ``notes`` and ``channel`` are pure; ``api`` asks the server.
"""
