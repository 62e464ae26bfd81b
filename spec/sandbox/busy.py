# attack: computes for ever
# wall: limit of CPU time, counted by the cgroup
# ending: cpu
# limits: cpu=300ms wall=3s
# alone: yes
while True:
    pass
