"""Which blessed model a candidate is compared with."""
