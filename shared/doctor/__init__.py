"""`stepgram doctor`: looks at everything outside that Stepgram needs, and says how to mend what is wrong.

It changes nothing that a running fleet could notice: it polls a topic and a worker id that nobody uses,
leaves the webhook alone, and removes the one object that it stores.
"""
