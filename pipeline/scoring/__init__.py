"""`aepipe predict`: a served version scores a file, in this process or on Beam's workers."""
