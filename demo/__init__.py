"""The whole story in front of one's eyes: real MLServer, real traffic, good and bad versions."""
