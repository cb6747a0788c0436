"""The push directory, `MODEL/VERSION` below one folder: the only code that reads or writes it.

Pusher, commands, orchestrators and the model server use it. It needs only the standard library and
filelock.
"""
