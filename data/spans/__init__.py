"""Which files of a data folder a run reads: names, spans, windows, digests."""
