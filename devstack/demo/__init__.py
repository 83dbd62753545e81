"""`make demo`: the main job end to end on real parts, told as it happens, then checked from outside.

story        two people and a group: what they do and give
performance  plays it, with the transcript beside it, then has it checked
chat         what the sandbox shows, as lines of the transcript
engine       where the processes stand, as notes beside them
transcript   puts both in order and prints them
checks       the engine's history, the rows and the chats, compared with what was given
objects      the same for what lies in the bucket
scene        where the checks look, and how they compare
times        where the time went
"""
