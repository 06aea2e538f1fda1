"""What tests of several rooms share: waiting with a bound, running a worker, databases made from templates."""
