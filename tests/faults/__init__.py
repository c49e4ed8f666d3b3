"""What can go wrong, done on purpose: kills, faults of the machine, bad input. ``make faults`` runs all of it."""
