"""The loops: what is read becomes posts, and posts become deliveries."""
