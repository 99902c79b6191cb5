"""The sub-commands of `parcours`, one file a subject; heavy imports are made when a command runs."""
