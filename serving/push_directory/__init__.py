"""The push directory, `MODEL/VERSION` below one folder: all that is written in it and read from it.

Pusher, commands, orchestrators and the model server ask the modules of this package; nothing else
holds a rule of the layout. It needs the standard library and filelock alone.
"""
