# attack: reads where nothing is
# wall: the verdict is from the status with which it was reaped
# ending: signal SIGSEGV
# modules: ctypes
import ctypes

ctypes.string_at(0)
