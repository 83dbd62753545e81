"""What a bot process serves over HTTP: its health, the webhook, and the page for larger files."""
