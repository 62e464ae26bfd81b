# attack: output that is no text: NUL bytes, invalid UTF-8, terminal escapes, formulas of spreadsheets, quotes
# wall: output is bytes, handed on as they are
# ending: exit 0
# output: \x00\xff\xfe\xc0\x80\xed\xa0\x80\x1b[31m\x1b]0;x\x07=cmd|'/c calc'!A0,"\x22\x22\x0d\n@SUM(1)\x00
import os

os.write(1, b"\x00\xff\xfe\xc0\x80\xed\xa0\x80\x1b[31m\x1b]0;x\x07=cmd|'/c calc'!A0,\"\"\"\r\n@SUM(1)\x00")
