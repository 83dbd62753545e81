"""Real parts for development, demo and tests: engine, Postgres, S3 and a Telegram sandbox."""
