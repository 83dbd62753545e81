"""Simulated people, processes that die, and a judge: `python -m tests.chaos --seed 7 --duration-s 60`."""
