"""What is measured beside us: each is a process of its own, so that nobody's loop slows another's."""
