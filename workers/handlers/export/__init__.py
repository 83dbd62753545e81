"""Reads the exported history of one Telegram chat and says what was going on in it.

``shared.files.telegram_export`` knows the file, ``tally`` counts, ``summary`` and ``chart`` tell a person.
``__main__`` is the child process that does it (the file is untrusted, large and costs seconds of CPU),
``process`` is its parent.
"""
