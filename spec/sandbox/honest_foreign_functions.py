# honest: functions of C libraries, called, and calling back: for which some have to make code while they run
# ending: exit 0
# output: [1, 2, 3, 5, 8] 27.0 called
# modules: ctypes ctypes.util mmap
import ctypes
import ctypes.util
import mmap

libc = ctypes.CDLL(None)
libm = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
libm.pow.restype, libm.pow.argtypes = ctypes.c_double, (ctypes.c_double, ctypes.c_double)
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 5)(5, 1, 8, 3, 2)
libc.qsort(numbers, ctypes.c_size_t(5), ctypes.c_size_t(4), kind(lambda one, other: one[0] - other[0]))
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
print(list(numbers), libm.pow(3, 3), ctypes.CFUNCTYPE(ctypes.py_object)(lambda: "called")())
