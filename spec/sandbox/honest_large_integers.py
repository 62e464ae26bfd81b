# honest: integers of thousands of digits, fractions, decimals
# ending: exit 0
# output: 9157 1/3 0.3333333333333333333333333333
# modules: decimal fractions math
import math
import sys
from decimal import Decimal
from fractions import Fraction

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
print(len(str(math.factorial(3000) * 10**26)), Fraction(1, 3), Decimal(1) / Decimal(3))
