"""Stand-ins for providers, on this machine: what is sent by `parcours up` goes nowhere else."""
