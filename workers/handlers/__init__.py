"""The automated topics that Stepgram brings along, one module each."""
