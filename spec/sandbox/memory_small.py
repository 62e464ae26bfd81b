# attack: takes memory in very small pieces
# wall: the memory limit of the case's cgroup
# ending: memory
# ending in rlimit: exit 1
# errors: MemoryError
# limits: memory=48M cpu=5s
chain = []
while True:
    chain = [chain]
