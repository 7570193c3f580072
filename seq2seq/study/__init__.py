"""Many runs: which are to do, at which widths, what they cost, what is published."""
