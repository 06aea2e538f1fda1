"""Stand-ins for systems that cannot be reached from here. Each is a process of its own with a store of its own, says so
in every answer, and imports nothing of the platform.
"""
