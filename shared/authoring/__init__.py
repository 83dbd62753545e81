"""The kit with which authors write steps: what is drawn from the contract for them."""
