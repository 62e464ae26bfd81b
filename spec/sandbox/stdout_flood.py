# attack: floods standard output
# wall: the limit of output, counted while it comes
# ending: output
# limits: output=64K cpu=3s
# alone: yes
# within: 1500ms
import os

while True:
    os.write(1, b"x" * 65536)
