"""Steps: the author's contract, the fields, and what is said in which order."""
