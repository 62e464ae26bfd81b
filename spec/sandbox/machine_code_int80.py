# attack: a 32-bit system call from machine code made by hand, whose numbers a 64-bit filter doesn't know
# wall: the filter ends what calls by another architecture's numbers
# ending: signal SIGSYS
# machine: x86_64
# modules: ctypes mmap
import ctypes
import mmap

# mov eax, 39 (mkdir, in 32-bit numbers); int 0x80; ret
code = b"\xb8\x27\x00\x00\x00\xcd\x80\xc3"
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
print("gave", ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
