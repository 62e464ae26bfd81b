# attack: floods standard error
# wall: the limit of output holds for both streams
# ending: output
# limits: output=64K cpu=3s
import os

while True:
    os.write(2, b"x" * 4096)
