"""The call center: queues and their hours, tasks and their leases, attempts, outcomes."""
