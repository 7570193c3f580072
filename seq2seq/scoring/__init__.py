"""Statistics: intervals over seeds and sentences, tests, length buckets, what length does, papers and claims."""
