"""Hosts and a Slurm cluster on one machine, and what is tried on them: ``make slurm``, ``make hosts``.

``python -m cluster up`` (with ``PYTHONPATH=tests``) starts a cluster and opens a shell on its first host; it is gone
with the shell.
"""
