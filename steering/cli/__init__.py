"""The ``steering`` command, one file a group of subcommands."""
