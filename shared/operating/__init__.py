"""What an operator does and sees from the shell: deploy, start, list, look."""
