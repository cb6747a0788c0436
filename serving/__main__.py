"""`python -m serving`: the server alone, for a process that is to start one."""

from serving.command import serve

if __name__ == "__main__":
    serve()
