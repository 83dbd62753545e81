"""What workers and bots both need; knows neither of them."""
