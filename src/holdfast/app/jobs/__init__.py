"""What background jobs do, and who runs them here: functions of other rooms, with typed inputs.

Not here: keeping, fencing and retrying jobs (platform.jobs).
"""
