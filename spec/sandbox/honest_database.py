# honest: sqlite3, in memory and in a file
# ending: exit 0
# output: 4950 100
# modules: sqlite3
import sqlite3

answers = []
for place, question in ((":memory:", "select sum(number) from numbers"), ("/tmp/data.db", "select count(*) from numbers")):
    with sqlite3.connect(place) as connection:
        connection.execute("create table numbers (number integer)")
        connection.executemany("insert into numbers values (?)", ((number,) for number in range(100)))
        answers.append(connection.execute(question).fetchone()[0])
print(*answers)
