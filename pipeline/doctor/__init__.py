"""`aepipe doctor`: what is wrong around the pipelines, and the way out of it."""
