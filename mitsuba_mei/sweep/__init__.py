"""Many runs of one scene, varied: planned, done by worker processes, and summed up."""
