"""What the relay costs, each figure as a ratio to a floor measured in the same run: `python -m bench [NAME ...]`."""
