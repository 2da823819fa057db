"""Many runs, on this machine or a cluster."""
