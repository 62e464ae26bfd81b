# honest: much of the standard library, imported and used
# ending: exit 0
# output: ok
# modules: ssl zlib bz2 lzma hashlib uuid secrets statistics csv json xml.etree.ElementTree datetime zoneinfo email difflib
#   ctypes mmap select selectors logging unittest locale heapq
# limits: cpu=4s wall=8s
import bz2
import csv
import ctypes
import datetime
import hashlib
import io
import json
import locale
import logging
import lzma
import mmap
import platform
import random
import secrets
import select
import ssl
import statistics
import time
import unittest
import uuid
import zlib
import zoneinfo
from xml.etree import ElementTree

locale.setlocale(locale.LC_ALL, "")
checks = [
    zlib.decompress(bz2.decompress(lzma.decompress(lzma.compress(bz2.compress(zlib.compress(b"x")))))) == b"x",
    hashlib.sha256(b"").hexdigest().startswith("e3b0c442"),
    uuid.uuid4() != uuid.uuid4() and len(secrets.token_bytes(16)) == 16 and 0 <= random.random() < 1,
    statistics.mean([1, 2, 3]) == 2,
    list(csv.reader(io.StringIO('a,"b,c"')))[0][1] == "b,c",
    json.loads('{"a": [1]}')["a"] == [1],
    ElementTree.fromstring("<a><b/></a>")[0].tag == "b",
    abs(datetime.datetime.now().timestamp() - time.time()) < 5,
    ssl.create_default_context() is not None,
    ctypes.CDLL(None).strlen(b"four") == 4,
    mmap.mmap(-1, 4096)[:1] == b"\0",
    select.select([], [], [], 0) == ([], [], []),
    zoneinfo.ZoneInfo is not None and unittest.TestCase is not None,
    platform.system() == "Linux" and time.process_time() > 0 and time.thread_time() > 0,
]
logging.getLogger("quiet").debug("nothing")
print("ok" if all(checks) else checks)
