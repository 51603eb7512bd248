"""Strategies that come with the platform; each is an example of the API as much as a bot."""
