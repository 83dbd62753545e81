"""Side-by-side measurements on one real engine: `make bench`."""
