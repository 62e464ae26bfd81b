# attack: system calls of the x32 kind: a bit in the number that a careless filter overlooks
# wall: the filter ends what has that bit
# ending: signal SIGSYS
# machine: x86_64
# modules: ctypes mmap
import ctypes
import mmap

# mov eax, 0x40000000 + 39 (getpid); syscall; ret
code = b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
print("gave", ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
